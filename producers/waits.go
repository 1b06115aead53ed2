package producers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Waited is what a caller that prefers to wait (RFC 7240) is told of one integration's outcome.
type Waited struct {
	EventID     schemas.EventID `json:"event_id"`
	Integration string          `json:"integration"`
	Kind        schemas.Kind    `json:"kind"`
	Reason      schemas.Reason  `json:"reason,omitempty"`
	Detail      string          `json:"detail,omitempty"`
	Reference   string          `json:"reference,omitempty"` // the downstream's own id of what it made
	At          time.Time       `json:"at"`
}

// waitReply is the answer to a caller that waits. Complete: every integration that was waited for has said what became of
// every event, though that may be that it waits for a person.
type waitReply struct {
	reply
	Complete bool     `json:"complete"`
	Outcomes []Waited `json:"outcomes"`
}

// waits follows the outcomes for those who wait for them. It keeps no caller longer than it prefers, and holds nothing up.
type waits struct {
	e       *Edge
	mu      sync.Mutex
	callers map[schemas.EventID][]*waiter
	follows bool          // outcomes from now on are seen
	tried   chan struct{} // closed when they are for the first time, or cannot be
	try     func()        // closes tried, once
	reads   chan struct{}
}

// startPatience is how long a caller that wants to wait lets a process start that does not see outcomes yet.
const startPatience = 5 * time.Second

// waiter is one caller.
type waiter struct {
	want map[waitKey]bool // not seen yet
	seen []Waited
	done chan struct{} // closed when nothing is wanted any more
}

type waitKey struct {
	event       schemas.EventID
	integration string
}

func newWaits(e *Edge) *waits {
	tried := make(chan struct{})
	return &waits{e: e, callers: map[schemas.EventID][]*waiter{}, tried: tried, try: sync.OnceFunc(func() { close(tried) }), reads: make(chan struct{}, statusReads)}
}

// needed tells whether any source lets its callers wait.
func (w *waits) needed() bool {
	return slices.ContainsFunc(w.e.cfg.Topology.Sources, func(s topology.Source) bool { return s.Wait != nil })
}

// topic is that of the outcomes.
func (w *waits) topic() string { return w.e.cfg.Topology.TopicName(topology.TopicReconciliation) }

// started waits until outcomes are followed for the first time, or cannot be.
func (w *waits) started(ctx context.Context) {
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-w.tried:
	case <-patience.C:
	case <-ctx.Done():
	}
}

// run follows the outcomes from now on until ctx ends.
func (w *waits) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.follow(ctx); err != nil && ctx.Err() == nil {
			w.e.cfg.Logger.Warn("nobody is waited for until outcomes can be followed", "err", err)
		}
		w.try()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

func (w *waits) follow(ctx context.Context) error {
	cl, err := w.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, w.topic())
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	cl.AddConsumePartitions(ends.KOffsets())
	w.mu.Lock()
	w.follows = true
	w.mu.Unlock()
	w.try()
	defer func() { w.mu.Lock(); w.follows = false; w.mu.Unlock() }()
	for {
		fetches := cl.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return err
		}
		fetches.EachRecord(func(rec *kgo.Record) { w.take(ctx, rec) })
	}
}

// client reads committed records, and the markers between them: the last offset may be one.
func (w *waits) client() (*kgo.Client, error) {
	return kgo.NewClient(append(slices.Clone(w.e.cfg.Options), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(250*time.Millisecond))...)
}

// take hands an outcome to those who wait for it.
func (w *waits) take(ctx context.Context, rec *kgo.Record) {
	integration, event, ok := outcomeNames(rec)
	w.mu.Lock()
	callers := w.callers[event]
	w.mu.Unlock()
	if !ok || len(callers) == 0 {
		return
	}
	o, err := w.e.cfg.Publisher.serde.DecodeOutcome(ctx, rec.Value)
	if err != nil {
		w.e.cfg.Logger.Warn("an outcome does not decode", "partition", rec.Partition, "offset", rec.Offset, "err", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.callers[event] {
		if k := (waitKey{event, integration}); c.want[k] {
			delete(c.want, k)
			if c.seen = append(c.seen, waitedOf(o)); len(c.want) == 0 {
				close(c.done)
			}
		}
	}
}

func waitedOf(o *schemas.Outcome) Waited {
	return Waited{o.EventID, o.Integration, o.Kind, o.Reason, o.Detail, o.Reference, o.At}
}

// outcomeNames is whose outcome of which event a record is, without decoding it: its ce_id is integration/event/kind.
func outcomeNames(rec *kgo.Record) (integration string, event schemas.EventID, ok bool) {
	for _, h := range rec.Headers {
		if h.Key == "ce_id" {
			if parts := strings.Split(string(h.Value), "/"); len(parts) == 3 {
				return parts[0], schemas.EventID(parts[1]), true
			}
		}
	}
	return "", "", false
}

// expect begins to wait for the outcomes of events. It must come before they are published.
func (w *waits) expect(events []*schemas.Event, integrations []string) (c *waiter, end func()) {
	c = &waiter{want: map[waitKey]bool{}, done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range events {
		for _, in := range integrations {
			c.want[waitKey{ev.ID, in}] = true
		}
		w.callers[ev.ID] = append(w.callers[ev.ID], c)
	}
	if len(c.want) == 0 {
		close(c.done)
	}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, ev := range events {
			list := slices.DeleteFunc(w.callers[ev.ID], func(x *waiter) bool { return x == c })
			if w.callers[ev.ID] = list; len(list) == 0 {
				delete(w.callers, ev.ID)
			}
		}
	}
}

// heard is what a caller was told so far, in order of the integrations' names, and whether that is all.
func (w *waits) heard(c *waiter) ([]Waited, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sortWaited(slices.Clone(c.seen)), len(c.want) == 0
}

func sortWaited(list []Waited) []Waited {
	slices.SortFunc(list, func(a, b Waited) int {
		return strings.Compare(string(a.EventID)+"/"+a.Integration, string(b.EventID)+"/"+b.Integration)
	})
	return list
}

// preferred is how long a caller prefers to wait: of "Prefer: respond-async, wait=5" five seconds. Zero for not at all.
func preferred(h http.Header) time.Duration {
	for _, line := range h.Values("Prefer") {
		for part := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)); err == nil && n > 0 && strings.EqualFold(strings.TrimSpace(name), "wait") {
				return time.Duration(min(n, 3600)) * time.Second
			}
		}
	}
	return 0
}

// takeAndWait takes a delivery and waits for its outcomes, as long as the caller prefers, the source allows, and its own
// patience lasts.
func (e *Edge) takeAndWait(ctx context.Context, in *inlet, d *delivery, prefer time.Duration) (waitReply, error) {
	wait := in.source.Wait
	limit := min(prefer, wait.AtMost.D())
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, deadline.Sub(e.cfg.Now()))
	}
	waiting, over := context.WithTimeout(ctx, limit)
	defer over()
	e.waits.started(waiting) // what comes of an event that is published before is missed
	r := in.platform.read(d)
	c, end := e.waits.expect(r.events, wait.For)
	defer end()
	rep, err := e.keep(ctx, in, d, r)
	if err != nil {
		return waitReply{}, err
	}
	out := waitReply{reply: rep}
	e.waits.mu.Lock()
	follows := e.waits.follows
	e.waits.mu.Unlock()
	if follows {
		select {
		case <-c.done:
		case <-waiting.Done():
		}
	}
	out.Outcomes, out.Complete = e.waits.heard(c)
	return out, nil
}

// answerWaited answers a caller that waited: 200 with every outcome; else 202 with a place to ask, or 503 where the source
// declares that: the event is taken all the same.
func (e *Edge) answerWaited(w http.ResponseWriter, in *inlet, d *delivery, prefer time.Duration, rep waitReply) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Preference-Applied", "wait="+strconv.Itoa(int(prefer/time.Second)))
	status := http.StatusOK
	if !rep.Complete {
		h.Set("Location", "/in/"+in.source.Name+"/events/"+e.waits.token(in.source, d.received, rep.EventIDs, rep.keys))
		if status = http.StatusAccepted; in.source.Wait.Otherwise == topology.Unavailable {
			status = http.StatusServiceUnavailable
			h.Set("Retry-After", "10")
		}
	}
	w.WriteHeader(status)
	line, _ := json.Marshal(rep) // of texts and times: cannot fail
	if _, err := w.Write(append(line, '\n')); err != nil {
		e.cfg.Logger.Debug("answer not read", "source", in.source.Name, "error", err)
	}
}
