// Package app wires the rooms into one process and runs them.
//
// In comes a Topology and where Kafka and the registry are (nowhere: both are embedded); out comes a running edge, the
// workers of some or all integrations and the reconciler, until the context ends. It decides nothing that a room decides.
// Run is one straight line on purpose: the order in which things start, and stop, is readable in one place.
package app
