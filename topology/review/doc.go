// Package review answers the six questions that an integration cannot run without, for every integration and source, from the
// topology's files, and finds where an answer is missing, vague, or contradicted by another file.
//
// In comes a topology, or the folder it is read from; out goes a Report: answers with their numbers, a reliability budget that
// is computed and never typed, and findings, each of a rule with a stable id, at file:line, with the mend. It asks no cluster, reads no
// clock and changes nothing. Admit turns a report into the error that keeps seam run and seam apply from starting.
//
// Why the faults that loading finds are findings too: who mends a file wants one list, and a tool that reads SARIF has no
// other. They are found in package topology alone; here they have only their ids.
//
// Why rules are a table of functions and no language of their own: a rule compares numbers of several files, and a reader of
// the table sees which.
package review
