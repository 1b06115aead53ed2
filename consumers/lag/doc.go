// Package lag says how far the consumer groups of a cluster are behind: in records, in seconds, and in the time that is left until
// retention deletes what they have not read.
//
// In come a topology and a cluster; out go metrics, under the names that lag exporters use and under Seam's own. It reads offsets
// and, where a group has not read everything, the one record at its position; it joins no group and writes nothing.
//
// It asks the cluster, not the workers, so that what it says holds while none runs. A worker commits up to its oldest record that has
// no outcome and keeps what it finished behind that in its ledger, so the record at the committed offset is exactly the oldest that is
// undone, and its time is the record's own: an idle topic, or one whose records a group only withholds, shows no age.
//
// The end of a partition is its last stable offset: what lies behind it is of transactions that are open. Markers of transactions
// have offsets and nobody reads them, and the records of aborted ones are nobody's to read, so a difference of offsets alone does
// not say whether anything is left. That takes a look at the position (see prober), which is remembered: a group that stands costs
// nothing.
package lag
