// Package consumers moves a partition's records through the steps, order by order, and commits what is finished.
//
// In come the event topics, one consumer group per integration; out go calls to the downstream and, in one Kafka
// transaction per tick, the outcomes, the ledger, the parked records and the offsets up to which everything is settled.
// It never commits past an event that has neither an outcome nor a parked record, never calls for a partition it may have
// lost, and never repeats a call whose effect is unknown unless the integration declares how that is harmless.
//
//	received ─▶ duplicate                                  (final)
//	         ─▶ withheld | superseded | expired            (final, by rule)
//	         ─▶ intent ─▶ delivered | already_done         (final)
//	                   ─▶ rejected ─▶ parked               (a "no" of the business waits for a person, or is final if so declared)
//	                   ─▶ retry ─▶ intent ... ─▶ parked    (time used up)
//	                   ─▶ unknown ─▶ probe ─▶ delivered | retry
//	                              ─▶ parked                (no key, no probe)
//	parked   ─▶ intent ...                                 (what it needed came, or the one it stood behind is gone)
//	         ─▶ superseded                                 (a cancelling event came first)
//	         ─▶ released ─▶ intent ...                     (a person said: again)
//	         ─▶ discarded                                  (final, a person said: never, with a reason)
//
// One goroutine, engine.loop, owns all state of an integration; calls, restores and commits run beside it and send back
// what came of them. Why no GroupTransactSession: it commits everything polled, and an abort resumes at the polled head.
// Why every transaction carries offsets with the generation captured before it was built: a member that lost its partition
// is refused at that and only at that. Why an unknown end of a transaction stops the engine: the broker may have committed,
// so memory can no longer be trusted, and a new engine restores what is true.
package consumers
