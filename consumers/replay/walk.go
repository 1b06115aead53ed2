package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/consumers/rules"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// walk plans one partition.
type walk struct {
	Request
	plan    *Plan
	span    Span
	name    string // of the topic, without prefix
	owners  *rules.Owners
	store   *ledger.Store
	now     time.Time
	begun   bool
	events  int
	keys    map[string]bool                 // in the range
	again   map[string]bool                 // of what is delivered again
	seen    map[schemas.EventID]bool        // of what is delivered again: a copy is not
	open    []pending                       // to be decided, in order
	entries map[string]*schemas.LedgerEntry // as decisions before leave them
}

// pending is an event that comes to a call or another end.
type pending struct {
	key    string
	offset int64
	ev     *schemas.Event
	env    schemas.Envelope // where ev is nil: it does not decode
	why    string           // it does not
	again  *schemas.Replay  // nil: nobody has handled it
}

// take counts records, and keeps those that are to be decided about.
func (w *walk) take(ctx context.Context, recs []*kgo.Record) error {
	for _, rec := range recs {
		if !w.begun {
			if err := w.tooOld(rec.Offset, rec.Timestamp); err != nil {
				return err
			}
			w.begun = true
		}
		if c := w.Choice; c != nil && !c.Until.IsZero() && !rec.Timestamp.Before(c.Until) {
			continue
		}
		key := string(rec.Key)
		if key == "" {
			key = string(ledger.PoisonID(rec.Topic, rec.Partition, rec.Offset))
		}
		w.events++
		w.plan.Events++
		w.keys[key] = true
		n := pending{key: key, offset: rec.Offset}
		var whole bool
		if n.env, whole = schemas.EnvelopeOf(rec.Headers); !whole {
			if err := w.decode(ctx, rec, &n); err != nil {
				return err
			}
		}
		if w.count(key, rec, n.env) {
			continue
		}
		if n.ev == nil && n.why == "" {
			if err := w.decode(ctx, rec, &n); err != nil {
				return err
			}
		}
		w.keep(rec, n)
	}
	return nil
}

// decode reads the event, or says why it never can be.
func (w *walk) decode(ctx context.Context, rec *kgo.Record, n *pending) error {
	ev, err := w.Serde.DecodeEvent(ctx, rec.Value)
	switch {
	case err == nil:
		n.ev, n.env = ev, schemas.Envelope{ID: ev.ID, Type: ev.Type, Source: ev.Source, System: ev.System, Subject: ev.Subject, BusinessID: ev.BusinessID, SourceVersion: ev.SourceVersion, Time: ev.Time}
	case errors.Is(err, schemas.ErrPoison), errors.Is(err, schemas.ErrUnknownSchema):
		n.why = err.Error()
	default:
		return fmt.Errorf("decode %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	return nil
}

// count takes note of how it stands with a record; true when that is all.
func (w *walk) count(key string, rec *kgo.Record, env schemas.Envelope) bool {
	p := w.plan
	if slices.ContainsFunc(w.store.Parked(key), func(o *schemas.ParkedRecord) bool { return o.Offset == rec.Offset || o.EventID == env.ID }) {
		p.Parked++
		return true
	}
	how := PassedBy
	for _, f := range w.store.Entry(key).Events {
		if f.ID == env.ID {
			how = string(f.Kind)
		}
	}
	forgotten := rec.Timestamp.Before(p.Since) && w.store.Settled(ledger.PartitionKey, rec.Offset)
	switch {
	case w.store.Settled(key, rec.Offset):
		p.Finished[how]++
	case forgotten:
		p.Beyond++
	default:
		p.Unread++
		return w.Choice != nil // it was reset past: it is not to be delivered again, but at all
	}
	return w.Choice == nil || !w.Choice.has(key, env.Type, how)
}

func (c *Choice) has(key string, et schemas.EventType, how string) bool {
	return (len(c.Orders) == 0 || slices.Contains(c.Orders, key)) && (len(c.Types) == 0 || slices.Contains(c.Types, et)) && (len(c.Kinds) == 0 || slices.Contains(c.Kinds, how))
}

// keep takes an event up to be decided about. Of copies of one, and of what cannot be read, nothing is delivered again.
func (w *walk) keep(rec *kgo.Record, n pending) {
	if w.Choice != nil {
		if n.why != "" || len(rec.Key) == 0 || w.seen[n.env.ID] {
			return
		}
		w.seen[n.env.ID] = true
		n.again = &schemas.Replay{Even: w.Choice.Even}
		w.plan.Chosen++
	}
	w.open = append(w.open, n)
}

// decideAll asks the rules for every event that was taken up, in order, as if every call had its effect.
func (w *walk) decideAll() {
	for i, n := range w.open {
		if n.ev == nil {
			w.other(n, schemas.Parked, schemas.ReasonPoison, n.why)
			continue
		}
		entry := w.entry(n)
		f := rules.Facts{Event: n.ev, Entry: entry, Parked: w.waiting(n), Again: n.again, Now: w.now}
		if n.again == nil {
			for _, later := range w.open[i+1:] {
				if later.key == n.key && later.ev != nil && rules.SpeaksFor(w.owners, later.ev.Type, later.ev.System, later.ev.Time) {
					f.Behind = append(f.Behind, later.ev.Type)
				}
			}
		}
		d := rules.Decide(w.Integration, w.owners, f)
		if d.Action == rules.Call && n.again == nil {
			if at, may := w.mayHaveCalled(n, entry, d.Route); may {
				if why := rules.Unrepeatable(w.Integration, at, w.now); why != "" {
					d = rules.Decision{Action: rules.Hold, Reason: schemas.ReasonUnknown, Detail: why}
				}
			}
		}
		w.settle(n, entry, d)
	}
}

// mayHaveCalled tells since when a worker that died may have made the call of an event that nobody has handled.
func (w *walk) mayHaveCalled(n pending, entry *schemas.LedgerEntry, route *topology.Route) (at time.Time, may bool) {
	if s := w.store.Entry(ledger.PartitionKey).Skipped; s.Has(n.offset, route.Operation) {
		at, may = s.Since, true
	}
	for _, op := range entry.Operations {
		if op.State == schemas.OpIntent && op.Name == route.Operation && (op.EventID == n.ev.ID || route.Once) {
			at, may = op.At, true
		}
	}
	return at, may
}

// entry is what is known of an event's order, with what the event tells.
func (w *walk) entry(n pending) *schemas.LedgerEntry {
	entry := w.entries[n.key]
	if entry == nil {
		entry = w.store.Entry(n.key)
	}
	c := *entry
	if n.again != nil && slices.ContainsFunc(c.Events, func(f schemas.FinishedEvent) bool { return f.ID == n.ev.ID }) {
		return &c
	}
	return rules.Note(w.owners, &c, n.ev)
}

// waiting is what is parked of the order that an event stands behind.
func (w *walk) waiting(n pending) []rules.Waiting {
	var out []rules.Waiting
	for _, o := range w.store.Parked(n.key) {
		if n.again != nil && o.Offset > n.offset {
			continue
		}
		out = append(out, rules.Waiting{ID: o.EventID, BusinessID: o.Headers["ce_businessid"], Reason: o.Reason})
	}
	return out
}

// settle counts a decision, and leaves the order as it will be.
func (w *walk) settle(n pending, entry *schemas.LedgerEntry, d rules.Decision) {
	done := schemas.FinishedEvent{ID: n.ev.ID, Kind: d.Kind, At: w.now}
	switch {
	case d.Action == rules.Hold:
		w.ask(n)
		w.other(n, schemas.Parked, d.Reason, d.Detail)
		w.entries[n.key] = entry
		return
	case d.Action == rules.Call && (n.ev.Sealed != nil || w.Serde.Erased(n.ev)):
		w.other(n, schemas.Withheld, schemas.ReasonErased, "its personal data is erased")
		done.Kind = schemas.Withheld
	case d.Action == rules.Call:
		done.Kind, done.BusinessID = schemas.Delivered, n.ev.BusinessID
		w.ask(n)
		w.called(n, d.Route)
		made := schemas.Operation{Name: d.Route.Operation, State: schemas.OpDone, EventID: n.ev.ID, Key: d.Key, Version: n.ev.SourceVersion, System: n.ev.System, At: w.now}
		ops := slices.DeleteFunc(slices.Clone(entry.Operations), func(o schemas.Operation) bool {
			return o.Name == made.Name || o.Name == d.Route.Undoes
		})
		if entry.Operations = append(ops, made); d.Route.Undoes != "" {
			entry.Operations = append(entry.Operations, schemas.Operation{Name: d.Route.Undoes, State: schemas.OpUndone, At: w.now})
			entry.Applied = nil
		}
		rules.Apply(w.owners, entry, d.Route, n.ev, d.Fields, d.Forced)
	default:
		w.other(n, d.Kind, d.Reason, d.Detail)
	}
	entry.Events = append(slices.Clip(entry.Events), done)
	w.entries[n.key] = entry
}

// ask has an event delivered again that comes to a call, or would once what it waits for has come. All others are left alone.
func (w *walk) ask(n pending) {
	if n.again != nil {
		w.again[n.key] = true
		w.plan.Again++
		w.plan.chosen = append(w.plan.chosen, chosen{w.name, w.span.Partition, n.offset, n.key, n.env.ID})
	}
}

func (w *walk) called(n pending, route *topology.Route) {
	s := Step{Operation: route.Operation, Request: "a row of a file"}
	if route.HTTP != nil {
		s.Request = route.HTTP.Method + " " + address(route.HTTP.URL)
	}
	w.plan.Calls = add(w.plan.Calls, s, n, "")
}

// address is a URL as people may see it: without credentials and query, and without a host where that is not set for readers.
func address(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
	}
	url, _, _ = strings.Cut(url, "?")
	host, path, _ := strings.Cut(url, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = host[i+1:]
	}
	if strings.HasSuffix(host, ".invalid") {
		host = ""
	}
	return host + "/" + path
}

func (w *walk) other(n pending, kind schemas.Kind, reason schemas.Reason, detail string) {
	w.plan.Others = add(w.plan.Others, Step{Kind: kind, Reason: reason}, n, detail)
}

// add counts one more event of a step.
func add(list []Step, s Step, n pending, detail string) []Step {
	i := slices.IndexFunc(list, func(o Step) bool {
		return o.Operation == s.Operation && o.Request == s.Request && o.Kind == s.Kind && o.Reason == s.Reason
	})
	if i < 0 {
		s.Example = Example{Key: n.key, EventID: n.env.ID, EventType: n.env.Type, Detail: detail}
		list, i = append(list, s), len(list)
	}
	list[i].Count++
	return list
}
