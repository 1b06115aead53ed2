package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Request is what a person wants replayed.
type Request struct {
	Options     []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Serde       *schemas.Serde
	Topology    *topology.Topology
	Integration *topology.Integration
	Back        Back
	// Places are topics without prefix, each with the partitions that are meant; no partitions are all of them. Default: every
	// topic that the integration reads.
	Places map[string][]int32
	Choice *Choice          // what to deliver again; nil: nothing, read only
	Now    func() time.Time // our clock. Default time.Now
}

// Back is where to go back to: one of its fields. Times are those of the records, as Kafka keeps them.
type Back struct {
	Earliest bool
	Datetime time.Time
	Offset   *int64
	Shift    *int64 // records before the committed offset, as a negative number
}

// Choice is which events of the range to deliver again; an empty field chooses all.
type Choice struct {
	Orders []string // keys: order (customer, item) ids
	Types  []schemas.EventType
	Kinds  []string  // how they ended: kinds of outcomes, or PassedBy
	Until  time.Time // only records before this
	Even   schemas.Reason
	AtMost int // more events are a refusal: each is a decision in the topic of commands
}

// PassedBy is how an event ended that the ledger keeps no word of: it was none of the integration's business, or a copy.
const PassedBy = "passed_by"

// Plan is what a replay would do, as of now. Counts are of records, which are events but for copies.
type Plan struct {
	Integration string         `json:"integration"`
	Group       string         `json:"group"`
	Redeliver   bool           `json:"redeliver"`
	Remembers   string         `json:"remembers"` // dedup_window
	Since       time.Time      `json:"since"`     // from then on the ledger knows what was done
	Partitions  []Partition    `json:"partitions"`
	Events      int            `json:"events"`
	Orders      int            `json:"orders"`
	Finished    map[string]int `json:"finished"` // how they ended: kind of outcome, or PassedBy
	Parked      int            `json:"parked"`   // wait, and go on waiting
	Unread      int            `json:"unread"`   // nobody has handled them: they are handled now, as any event
	Chosen      int            `json:"chosen"`   // fit what is to be delivered again
	Again       int            `json:"again"`    // of Chosen: come to a call, or to a wait for what they need
	AgainOf     int            `json:"again_of_orders"`
	Calls       []Step         `json:"calls"`  // that will be made
	Others      []Step         `json:"others"` // of what is handled or delivered again: what ends or waits without a call
	Beyond      int            `json:"beyond"` // older than the ledger remembers, and read before: left alone

	chosen []chosen
}

// Partition is what is read of one partition: offsets from From up to but not To, the group's committed offset.
type Partition struct {
	Topic     string `json:"topic"` // without prefix
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	Events    int    `json:"events"`
}

// Step is what becomes of some events.
type Step struct {
	Operation string         `json:"operation,omitempty"`
	Request   string         `json:"request,omitempty"` // method, host and path, with its expressions as they stand in the file
	Kind      schemas.Kind   `json:"kind,omitempty"`    // without a call
	Reason    schemas.Reason `json:"reason,omitempty"`
	Count     int            `json:"count"`
	Example   Example        `json:"example"`
}

// Example is the first event of a Step.
type Example struct {
	Key       string            `json:"key"`
	EventID   schemas.EventID   `json:"event_id"`
	EventType schemas.EventType `json:"event_type"`
	Detail    string            `json:"detail,omitempty"`
}

type chosen struct {
	topic     string
	partition int32
	offset    int64
	key       string
	event     schemas.EventID
}

// Handled is how many events come to a call or another end that they have not come to before.
func (p *Plan) Handled() int {
	n := 0
	for _, list := range [][]Step{p.Calls, p.Others} {
		for _, s := range list {
			n += s.Count
		}
	}
	return n
}

// New makes the plan; it changes nothing. A *Refusal says why there is none.
func New(ctx context.Context, r Request) (*Plan, error) {
	if r.Now == nil {
		r.Now = time.Now
	}
	cl, err := kgo.NewClient(r.Options...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	now, in := r.Now().UTC(), r.Integration
	p := &Plan{Integration: in.Name, Group: r.Topology.Group(in.Name), Redeliver: r.Choice != nil, Remembers: in.DedupWindow.D().String(), Since: now.Add(-in.DedupWindow.D()), Finished: map[string]int{},
		Partitions: []Partition{}, Calls: []Step{}, Others: []Step{}}
	spans, ids, err := r.spans(ctx, kadm.NewClient(cl))
	if err != nil {
		return nil, err
	}
	owners := rules.NewOwners(r.Topology.Ownership)
	for _, s := range spans {
		name := strings.TrimPrefix(s.Topic, r.Topology.Prefix)
		if s.From >= s.To {
			p.Partitions = append(p.Partitions, Partition{Topic: name, Partition: s.Partition, From: s.To, To: s.To})
			continue
		}
		store, err := ledger.Read(ctx, ledger.Source{Options: r.Options, Group: p.Group, Serde: r.Serde, Ledger: r.Topology.Ledger(in.Name), Parked: r.Topology.Parked(in.Name),
			Topic: name, TopicID: ledger.TopicID(ids[s.Topic]), Partition: s.Partition})
		if err != nil {
			return nil, err
		}
		w := &walk{Request: r, plan: p, span: s, name: name, owners: owners, store: store, now: now, keys: map[string]bool{}, again: map[string]bool{}, seen: map[schemas.EventID]bool{}, entries: map[string]*schemas.LedgerEntry{}}
		if err := Read(ctx, r.Options, s, func(recs []*kgo.Record) error { return w.take(ctx, recs) }); err != nil {
			return nil, err
		}
		w.decideAll()
		p.Orders, p.AgainOf = p.Orders+len(w.keys), p.AgainOf+len(w.again)
		p.Partitions = append(p.Partitions, Partition{Topic: name, Partition: s.Partition, From: s.From, To: s.To, Events: w.events})
		if err := store.Err(); err != nil {
			return nil, err
		}
	}
	for _, list := range [][]Step{p.Calls, p.Others} {
		slices.SortStableFunc(list, func(a, b Step) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Request, b.Request), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason))
		})
	}
	if c := r.Choice; c != nil && c.AtMost > 0 && p.Again > c.AtMost {
		return p, &Refusal{What: fmt.Sprintf("%d events would be delivered again, more than %d", p.Again, c.AtMost), Mend: "choose fewer (--order, --type, --kind, --until), or allow as many (--at-most)"}
	}
	return p, nil
}

// Refusal is why something cannot be replayed, and what can be done.
type Refusal struct{ What, Mend string }

// Error is both.
func (r *Refusal) Error() string { return r.What + ": " + r.Mend }
