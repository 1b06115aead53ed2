// Package drills breaks things on purpose and asks what happened.
//
// In comes a way to start Seam; out comes a Report of what a day of faults should have led to and what it led to. The
// first drill is Story, the day that `seam demo` tells: eleven simulated systems (package sim) over real HTTP, Seam
// between them, and one thing after another going wrong.
//
// A drill believes nobody's summary. What should be there it computes from what the shop did; what is there it asks of
// each simulated downstream, which counts the effects it really made; what Seam says it reads from Seam's own topics, as
// any other team could. The three must agree, and where Seam kept something back, it must have said why.
//
// It never reaches into Seam: it knows its HTTP edge, its topics and its files.
package drills
