// Package replay says what reading a partition's past again would do, and reads it.
//
// In come an integration, where to go back to, and the topics as they are; out comes a Plan: offsets, orders, events, how many
// are finished and how, which calls would be made, in the words of the business. It asks the same pure rules of the same
// ledger as the worker does, and changes nothing: it fences nobody, joins no group, commits no offset. What a person decides
// by it goes to the workers through the topic of commands (Execute).
//
// Why the workers' offsets are not simply reset: Kafka refuses that while the group has members, and a partition that went
// back would keep what comes now waiting behind what was. The worker reads the past by a client of its own and hands it to
// the lanes: what the ledger knows as finished or parked stays so, what nobody has handled (the offset was reset past it,
// with whatever tool) is handled, and the committed offset goes back only as far as that asks. An offset that another tool
// resets does the same, less politely.
//
// Why delivering again is a decision about each event, and not a mode of reading: an event is parked by the decision and
// released in one step, in the transaction that remembers the decision's place in the commands. So a crash, a rebalance or a
// second reading of the commands makes no further call; the call has an idempotency key of the replay's own, the same for
// every attempt. It overrides that the event is finished, and nothing else: see package rules, again.go.
//
// Why there is an end to it: the ledger forgets an order a dedup_window after its last event. Who reads further back could
// not tell what was done from what was not. A plan that does is refused; a worker passes such records by as finished, if it
// had read them before; a decision that is nearly as old is taken in by nobody.
package replay
