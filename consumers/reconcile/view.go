package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// View is every order of the topics, in memory. Follow keeps it current. Safe for concurrent use.
type View struct {
	topo *topology.Topology
	acts acting
	now  func() time.Time

	mu      sync.RWMutex
	folds   map[subject]*locked
	next    map[place]int64 // per partition: the offset after the last record taken in
	starts  map[place]int64 // per partition: what lies before can be read no more
	ends    map[place]int64 // per partition: its end as of fresh.CheckedAt; nil until that is known
	summary Summary
	fresh   Freshness
	moved   chan struct{} // closed when next grows

	asks chan ask // of CaughtUp to Follow
}

// subject is a key of an event topic without prefix.
type subject struct{ topic, key string }

// place is a partition of a topic, prefix included.
type place struct {
	topic     string
	partition int32
}

// locked is a fold with its lock, as answering fills its caches.
type locked struct {
	mu   sync.Mutex
	fold *Fold
}

// ask wants to know the ends of all topics.
type ask struct {
	reply chan map[place]int64
}

// Summary counts everything the view has taken in.
type Summary struct {
	Orders      int                             `json:"orders"` // keys of the orders topic
	Customers   int                             `json:"customers"`
	Items       int                             `json:"items"`
	Events      int                             `json:"events"`     // distinct
	Duplicates  int                             `json:"duplicates"` // records that repeated an event under its id
	Undecodable int                             `json:"undecodable"`
	Outcomes    map[string]map[schemas.Kind]int `json:"outcomes"` // by integration, every outcome written
	Parked      map[schemas.Reason]int          `json:"parked"`   // events that are parked now, by reason, over all integrations
	Freshness   Freshness                       `json:"freshness"`
}

// NewView is an empty view; now is our clock.
func NewView(topo *topology.Topology, now func() time.Time) *View {
	return &View{topo: topo, acts: newActing(topo), now: now, folds: map[subject]*locked{}, next: map[place]int64{}, moved: make(chan struct{}), asks: make(chan ask),
		summary: Summary{Outcomes: map[string]map[schemas.Kind]int{}, Parked: map[schemas.Reason]int{}}, fresh: Freshness{BehindRecords: -1}}
}

// Apply takes one record of an event topic or the reconciliation topic in. Records of a partition must come in order; one
// that was taken before is ignored. What cannot be decoded is kept as such; an error means that the record could not be
// read now (the registry is away) and is to be offered again.
func (v *View) Apply(ctx context.Context, serde *schemas.Serde, rec *kgo.Record) error {
	at := place{rec.Topic, rec.Partition}
	v.mu.RLock()
	seen := rec.Offset < v.next[at]
	v.mu.RUnlock()
	if seen {
		return nil
	}
	d, err := decode(ctx, serde, v.topo, rec)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if d != nil {
		v.take(d)
	}
	v.next[at] = rec.Offset + 1
	return nil
}

// take folds a decoded record and counts it.
func (v *View) take(d *decoded) {
	if d.unreadable != "" {
		v.summary.Undecodable++
		if d.ofOutcome {
			return
		}
	}
	l := v.folds[d.subject]
	if l == nil {
		l = &locked{fold: newFold(v.topo, v.acts, d.topic, d.key)}
		v.folds[d.subject] = l
		switch d.topic {
		case schemas.TopicOrders:
			v.summary.Orders++
		case schemas.TopicCustomers:
			v.summary.Customers++
		case schemas.TopicInventory:
			v.summary.Items++
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case d.outcome != nil:
		o := d.outcome
		before := l.fold.parkedFor(o.Integration, o.EventID)
		l.fold.Outcome(o, d.at)
		v.count(before, -1)
		v.count(l.fold.parkedFor(o.Integration, o.EventID), 1)
		if v.summary.Outcomes[o.Integration] == nil {
			v.summary.Outcomes[o.Integration] = map[schemas.Kind]int{}
		}
		v.summary.Outcomes[o.Integration][o.Kind]++
	case d.fold(l.fold):
		v.summary.Events++
	default:
		v.summary.Duplicates++
	}
}

// count changes how many events are parked for a reason; nil for none.
func (v *View) count(reason *schemas.Reason, by int) {
	if reason == nil {
		return
	}
	if v.summary.Parked[*reason] += by; v.summary.Parked[*reason] == 0 {
		delete(v.summary.Parked, *reason)
	}
}

// parkedFor is why an integration has an event parked; nil when it has not.
func (f *Fold) parkedFor(integration string, id schemas.EventID) *schemas.Reason {
	last := f.answers[answerKey{integration, id}].latest()
	if last == nil || last.kind != schemas.Parked {
		return nil
	}
	return &last.reason
}

// Order is the answer for a key: an order ID, or a customer ID or location/item that no order has. With "customers:" or
// "inventory:" before it, it is of that topic.
func (v *View) Order(key string) (*Order, bool) {
	v.mu.RLock()
	fresh := v.measure()
	var l *locked
	for _, s := range subjects(key) {
		if l = v.folds[s]; l != nil {
			break
		}
	}
	v.mu.RUnlock()
	if l == nil {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.fold.Order(v.now())
	o.Freshness = &fresh
	return o, true
}

// subjects is what a key that a person gives may mean, the likeliest first.
func subjects(key string) []subject {
	topics := []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory}
	var out []subject
	for _, topic := range topics {
		out = append(out, subject{topic, key})
	}
	for _, topic := range topics {
		if rest, ok := strings.CutPrefix(key, topic+":"); ok {
			out = append(out, subject{topic, rest})
		}
	}
	return out
}

// Orders is the answers of the orders topic in one of the states, or all when none is given, sorted by key. It folds each:
// on a large view ask for few states.
func (v *View) Orders(states ...State) []*Order {
	var out []*Order
	fresh := v.Freshness()
	v.each(func(s subject, f *Fold) {
		if s.topic != schemas.TopicOrders {
			return
		}
		if o := f.Order(v.now()); len(states) == 0 || slices.Contains(states, o.State) {
			o.Freshness = &fresh
			out = append(out, o)
		}
	})
	slices.SortFunc(out, func(a, b *Order) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// each calls a function with every fold, one after the other.
func (v *View) each(do func(subject, *Fold)) {
	v.mu.RLock()
	all := make(map[subject]*locked, len(v.folds))
	for s, l := range v.folds {
		all[s] = l
	}
	v.mu.RUnlock()
	for s, l := range all {
		l.mu.Lock()
		do(s, l.fold)
		l.mu.Unlock()
	}
}

// Disagreements is what systems differ about over all keys; with open false also what they differed about before. Open
// ones come first, then the oldest.
func (v *View) Disagreements(open bool) []Disagreement {
	out := []Disagreement{}
	v.each(func(_ subject, f *Fold) {
		for _, d := range f.Disagreements(v.now()) {
			if d.Closed == nil || !open {
				out = append(out, d)
			}
		}
	})
	sortDisagreements(out)
	return out
}

// Summary is a copy of the counts.
func (v *View) Summary() Summary {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := v.summary
	s.Freshness = v.measure()
	s.Outcomes = map[string]map[schemas.Kind]int{}
	for in, kinds := range v.summary.Outcomes {
		c := map[schemas.Kind]int{}
		for k, n := range kinds {
			c[k] = n
		}
		s.Outcomes[in] = c
	}
	s.Parked = map[schemas.Reason]int{}
	for r, n := range v.summary.Parked {
		s.Parked[r] = n
	}
	return s
}

// Freshness is how far behind the topics the view is.
func (v *View) Freshness() Freshness {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.measure()
}
