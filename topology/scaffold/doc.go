// Package scaffold writes the files of a topology that somebody begins: a folder of the shipped ones, an integration, a source.
//
// In come answers, as many as there are; out come files that do not exist yet. What nobody answered stands in them as
// topology.Open, with the question beside it, and Load refuses the file until it is answered: nothing is taken as a default
// for it. It never writes over a file, and leaves none behind that Load refuses for anything but an open question.
package scaffold
