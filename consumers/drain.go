package consumers

import "time"

// DefaultGrace is how long a stop lets calls end where Config.Grace says nothing: under the 30 s that Kubernetes waits before it
// kills.
const DefaultGrace = 25 * time.Second

// settleLimit is how much of the grace is kept, at most, for the last commit and for leaving the group.
const settleLimit = 5 * time.Second

// cutAfter is when a stop ends the calls that are still under way.
func cutAfter(grace time.Duration) time.Duration { return grace - min(grace/4, settleLimit) }

// cut ends every call under way. What such a call did is not known: it is told as after a crash, by the successor, from the
// intent or under the same key.
func (e *engine) cut() {
	for _, p := range e.parts {
		if len(p.calls) > 0 {
			e.log.Warn("calls outlast the grace of the stop and are ended", "topic", p.tp.topic, "partition", p.tp.partition, "calls", len(p.calls))
			p.cancel()
		}
	}
}

// drained tells whether nothing is under way and nothing waits to be committed.
func (e *engine) drained() bool {
	if e.inFlight > 0 || e.committing != nil {
		return false
	}
	for _, p := range e.parts {
		e.withdraw(p)
	}
	if !e.batch.empty() {
		e.commit()
		return false
	}
	return true
}

// withdraw takes back the intents of a partition that goes to another worker whose calls were not made, or certainly had no
// effect: who finds an intent must believe in its call, and would leave it to a person where a call is never repeated.
func (e *engine) withdraw(p *partition) {
	e.unbind(p)
	for _, ln := range p.lanes {
		for _, it := range ln.queue {
			if !it.intent || it.called || it.unknown || ln.busy {
				continue
			}
			entry := *p.store.Entry(ln.key)
			dropIntent(&entry, it)
			e.put(ln, &entry)
			it.intent = false
			e.unreserve(it)
		}
	}
}
