// Package consumers moves a partition's records through the steps, order by order, and commits what is finished.
//
// In come the event topics, one consumer group per integration; out go calls to the downstream and, in one Kafka
// transaction per tick, the outcomes, the ledger, the parked records and the offsets up to which everything is settled.
// It never commits past an event that has neither an outcome nor a parked record, never calls for a partition it may have
// lost, and never repeats a call whose effect is unknown unless the integration declares how that is harmless.
//
//	received ─▶ duplicate                                  (final)
//	         ─▶ withheld | superseded | expired            (final, by rule)
//	         ─▶ parked                                     (poison; it came early; an earlier one of the order is parked)
//	         ─▶ intent ─▶ delivered | already_done         (final)
//	                   ─▶ rejected ─▶ parked               (a "no" of the business waits for a person, or is final if so declared)
//	                   ─▶ contract ─▶ parked               (an answer nobody declared: its effect is unknown)
//	                   ─▶ retry ─▶ intent ... ─▶ parked    (time used up)
//	                   ─▶ unknown ─▶ intent ...            (an upsert; a key that is still remembered)
//	                              ─▶ probe ─▶ already_done | retry | unknown
//	                              ─▶ parked                (no key, no probe, or the key is forgotten)
//	received ─▶ parked ─▶ intent ...                       (the facts that its call carries were refused; they are asked for again)
//	parked   ─▶ intent ...                                 (what it needed came, or the one it stood behind is gone)
//	         ─▶ superseded                                 (a cancelling event came first)
//	         ─▶ released ─▶ intent ...                     (a person said: again)
//	         ─▶ discarded                                  (final, a person said: never, with a reason)
//	final    ─▶ parked ─▶ intent ...                       (a person said: deliver it again; a second final outcome, that names the replay)
//
// An intent is in the ledger before the call wherever a repetition would do harm, now (none, probe), once the key is forgotten
// (key) or because a later event may make the call pointless (superseded_by): see durable. A worker that dies leaves it, and its
// successor finds it as unknown. Few are intended at once, as after a crash each may be a person's to decide: see mayIntend.
// Where only the forgetting of a key makes a call worth knowing, one record a transaction tells for a partition below which offset
// calls may have been made, and since when, in place of an intent for each (see bound); a call whose effect is not known gets one of
// its own. Of an order only the first event that is not finished can have been called: that one is unknown to the successor, with
// the time that the bound names.
//
// A call whose body names facts is made with facts that its policy allows, judged just before it; while they are refused, or
// nobody can be asked, it is not made, and only its own order waits (see Facts). What a call made is read back beside all this,
// by a group of its own, where its route declares read_back (see reader): it publishes what it finds as events.
//
// One goroutine, engine.loop, owns all state of an integration; calls, restores and commits run beside it and send back
// what came of them. Why no GroupTransactSession: it commits everything polled, and an abort resumes at the polled head.
// Why every transaction carries offsets with the generation captured before it was built: a member that lost its partition
// is refused at that and only at that. Why an unknown end of a transaction stops the engine: the broker may have committed,
// so memory can no longer be trusted, and a new engine restores what is true. Why the HTTP/1.1 of the calls is our own, with
// net/http's reader of answers: it knows to the byte whether anything of a request has left, which decides whether an order
// waits for a person; it never sends anything twice; it notices connections that the other side closed before it writes on
// them; and it costs less than net/http, which serves where a proxy leads to the downstream (see deliver.direct).
package consumers
