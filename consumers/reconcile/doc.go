// Package reconcile compares what should have happened with what was reported, per order.
//
// In come the event topics (what sources said) and the reconciliation topic (what became of each event in each
// integration); out goes an answer per key: the timeline over all systems, how far each integration is and until when it
// may be, what systems disagree about and since when. It never calls a downstream, never writes to a topic and holds no
// state of its own: everything is folded again from the topics at every start, so nothing can drift from them.
//
// The same facts give the same answer whatever the order in which topics deliver them. Within a system the newest word is
// the one with the newest source version, then the newest source clock, never the one that came last. Time limits run on
// our own clock, from the moment the edge took an event.
//
// Personal values (email addresses, phone numbers, names, addresses, notes) are kept only as a mask and a hash: that two
// systems differ can be told, what they say must be asked of them.
//
// Why no consumer group: each reader needs every partition, from the start. Why read_committed up to the high watermark:
// an outcome counts once its transaction is committed, and what an open transaction may still hold is named as unread.
package reconcile
