// Package topology says what must exist (topics, teams, sources, integrations, owners), whether it may run, and
// brings the cluster there.
//
// In comes a folder of YAML files; out come one typed Topology or every fault of every file at once, each with
// file:line and the mend; a Plan of what a cluster lacks; and Apply, which does just that plan. It never
// shrinks a topic, never touches what it does not own, and starts nothing.
//
// Why an integration does not list what it subscribes to: its routes name every type they act on, wait for or
// are superseded by, and a list beside them could only disagree.
package topology
