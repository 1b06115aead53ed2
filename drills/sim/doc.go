// Package sim behaves like the systems around Seam: a shop and an admin panel that tell, nine downstreams that are told.
//
// In come real HTTP calls on loopback, one listener per system; out go answers, signed call-backs, batch files and
// counts of effects per order. Every system has its own state, its own clock (skewed a little), its own faults, and
// counts only what it really did: a request that it repeated harmlessly is no effect, a second parcel is one. What the
// counts say is the truth that drills compare Seam's word with.
//
// It never looks inside Seam and imports nothing of it but the words of package schemas. What is random comes from one
// seed; what takes time is multiplied by Config.Scale, so that a Monday fits into seconds.
package sim
