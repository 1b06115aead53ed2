package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// word is what one event says of one field.
type word struct {
	field  schemas.Field
	object string
	value  value
}

// wordsOf is what an event says of fields, less what is personal.
func wordsOf(ev *schemas.Event) []word {
	values := schemas.FieldsOf(ev)
	out := make([]word, len(values))
	for i, v := range values {
		out[i] = word{v.Field, schemas.ObjectOf(ev, v.Field), newValue(v.Field, v.Value)}
	}
	return out
}

// The kinds of ref that more than one place names.
const (
	refSKU   = "sku"   // by which an order's lines find their stock
	refEmail = "email" // a hash
)

// refsOf is the other names that an event gives its order, customer or item.
func refsOf(ev *schemas.Event) []ref {
	var out []ref
	add := func(kind, value string) {
		if r := (ref{kind, value}); value != "" && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	payment := func(p *schemas.Payment) {
		add("payment", p.Reference)
		add("payment", p.ID)
	}
	if o := ev.Order; o != nil {
		add("customer", o.CustomerID)
		add("number", o.Number)
		add(refEmail, EmailHash(o.Email))
		for i := range o.Payments {
			payment(&o.Payments[i])
		}
		for i := range o.Lines {
			add(refSKU, o.Lines[i].SKU)
		}
	}
	if ev.Payment != nil {
		payment(ev.Payment)
	}
	if c := ev.Customer; c != nil {
		add(refEmail, EmailHash(c.Email))
	}
	if i := ev.Inventory; i != nil {
		add(refSKU, i.SKU)
	}
	return out
}

// EmailHash is under what an address is found: the SHA-256 of it in lower case without spaces around it, in hex; empty for
// an empty address.
func EmailHash(address string) string {
	if address = schemas.Form("order.email", address); address == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:])
}

// fieldLine is what all systems said of one field of one object, over time.
type fieldLine struct {
	field  schemas.Field
	object string
	owner  topology.Owner
	newest map[schemas.System]*said
	own    *said     // the word that counts: see claim; nil while no owner has spoken
	latest time.Time // newest source time of all words: who is named as owner while none has spoken
	spans  []span    // in the order they opened
	fix    *said     // the person's correction that counts before all others; nil while there is none
}

// said is a word with its event.
type said struct {
	word
	ev *fact
}

// span is one disagreement; closed is zero while it is open.
type span struct {
	system, by   schemas.System // who differs, and from whom
	owner, other *said          // the words that differ; while closed, owner is the word that was agreed with
	since        time.Time
	closed       time.Time
	flaps        int   // how often it closed and opened again
	fix          *said // the correction that the two are to come round to; nil for none
	over         bool  // it ended with its correction: what differs from then on is another
}

// lines folds every word into its field's line, in the order of our clock.
func (f *Fold) lines() []*fieldLine {
	if f.cache != nil {
		return f.cache
	}
	type key struct {
		field  schemas.Field
		object string
	}
	byKey := map[key]*fieldLine{}
	out := []*fieldLine{}
	for _, ev := range f.timeline() {
		for _, w := range ev.said {
			owner, owned := f.topo.Ownership[w.field]
			if !owned || ev.System == "" {
				continue
			}
			line := byKey[key{w.field, w.object}]
			if line == nil {
				line = &fieldLine{field: w.field, object: w.object, owner: owner, newest: map[schemas.System]*said{}}
				byKey[key{w.field, w.object}] = line
				out = append(out, line)
			}
			line.hear(&said{w, ev})
		}
	}
	slices.SortFunc(out, func(a, b *fieldLine) int {
		return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.object, b.object))
	})
	f.cache = out
	return out
}

// hear takes a word in, unless its system has said a newer one, and opens and closes disagreements by it.
func (l *fieldLine) hear(s *said) {
	if s.ev.Correction != nil {
		l.correct(s)
		return
	}
	if had := l.newest[s.ev.System]; had != nil && older(s.ev, had.ev) {
		return
	}
	l.newest[s.ev.System] = s
	if s.ev.Time.After(l.latest) {
		l.latest = s.ev.Time
	}
	l.claim(s)
	l.lift(s)
	switch {
	case l.fix != nil:
		l.settle(s.ev.IngestedAt)
	case l.own == nil:
	case l.own == s:
		for _, system := range slices.Sorted(maps.Keys(l.newest)) {
			l.compare(system, s, l.newest[system], s.ev.IngestedAt)
		}
	default:
		l.compare(s.ev.System, l.own, s, s.ev.IngestedAt)
	}
}

// claim takes a word as the one that counts, if its system owned the field at the word's own time: a later owner's word
// counts before an earlier one's, and of systems that share the field the word of the one named first.
func (l *fieldLine) claim(s *said) {
	owners, reign := l.owner.At(s.ev.Time), l.owner.Reign(s.ev.Time)
	rank := slices.Index(owners, s.ev.System)
	if rank < 0 {
		return
	}
	if l.own != nil {
		before := l.owner.Reign(l.own.ev.Time)
		if reign < before || reign == before && rank > slices.Index(owners, l.own.ev.System) {
			return
		}
	}
	l.own = s
}

// ownedBy is whose word counts.
func (l *fieldLine) ownedBy() schemas.System {
	if l.fix != nil {
		return l.fix.ev.System
	}
	if l.own != nil {
		return l.own.ev.System
	}
	return l.owner.At(l.latest)[0]
}

// compare holds a system's newest word against the owner's at a time.
func (l *fieldLine) compare(system schemas.System, own, other *said, at time.Time) {
	agree := system == own.ev.System || agrees(own.value, other.value, l.owner.Tolerance)
	l.mark(agree, &span{system: system, by: own.ev.System, owner: own, other: other, since: at})
}

// mark opens, goes on with or closes the disagreement of a system at n.since: n says what it is now.
func (l *fieldLine) mark(agree bool, n *span) {
	i := len(l.spans) - 1
	for ; i >= 0 && l.spans[i].system != n.system; i-- {
	}
	open := i >= 0 && l.spans[i].closed.IsZero()
	switch {
	case agree && open:
		l.spans[i].closed = n.since
		if n.system != n.by { // else it differed from an owner that it follows
			l.spans[i].by, l.spans[i].owner = n.by, n.owner
		}
	case agree:
	case open:
		l.spans[i].by, l.spans[i].owner, l.spans[i].other, l.spans[i].fix = n.by, n.owner, n.other, n.fix
	case i >= 0 && !l.spans[i].over && l.flaps(&l.spans[i], n.since):
		l.spans[i].by, l.spans[i].owner, l.spans[i].other, l.spans[i].fix = n.by, n.owner, n.other, n.fix
		l.spans[i].closed = time.Time{}
		l.spans[i].flaps++
	default:
		l.spans = append(l.spans, *n)
	}
}

// flaps tells whether a disagreement that opens is the one that closed: somebody was paged for it, and the values agreed for
// no longer than they may differ.
func (l *fieldLine) flaps(s *span, at time.Time) bool {
	within := l.owner.AgreeWithin.D()
	return s.closed.Sub(s.since) > within && at.Sub(s.closed) <= within
}

// older tells whether a is an older word of the same system than b: by source version where both can be compared, else by
// source clock. Equally old is not older, so that of two such the later by our clock counts.
func older(a, b *fact) bool {
	if c, ok := schemas.CompareVersions(a.SourceVersion, b.SourceVersion); ok && c != 0 {
		return c < 0
	}
	return a.Time.Before(b.Time)
}

// agrees tells whether two values are the same within a tolerance, which counts for amounts of one currency and for counts.
func agrees(a, b value, tolerance string) bool {
	if a.equal(b) {
		return true
	}
	most, err := decimal.NewFromString(cmp.Or(tolerance, "0"))
	if err != nil {
		return false // topology.Load refuses such a tolerance
	}
	na, ua, okA := a.amount()
	nb, ub, okB := b.amount()
	return okA && okB && ua == ub && na.Sub(nb).Abs().LessThanOrEqual(most)
}

// said is who says what, by field.
func (f *Fold) said() []Field {
	out := []Field{}
	for _, l := range f.lines() {
		field := Field{Field: l.field, Object: l.object, Owner: l.ownedBy()}
		for _, s := range l.newest {
			field.Said = append(field.Said, Said{System: s.ev.System, Value: s.value.text(), SourceVersion: s.ev.SourceVersion, Time: s.ev.Time, SeenAt: s.ev.IngestedAt, EventID: s.ev.ID, ReadBack: s.ev.read != nil})
		}
		if s := l.fix; s != nil {
			field.Said = append(field.Said, Said{System: s.ev.System, Value: s.value.text(), SourceVersion: s.ev.SourceVersion, Time: s.ev.Time, SeenAt: s.ev.IngestedAt, EventID: s.ev.ID})
		}
		slices.SortFunc(field.Said, func(a, b Said) int { return cmp.Compare(a.System, b.System) })
		out = append(out, field)
	}
	return out
}

// Disagreements is what systems differ or differed about, open ones first, then by Since, field, object and system.
func (f *Fold) Disagreements(now time.Time) []Disagreement {
	out := []Disagreement{}
	for _, l := range f.lines() {
		for _, s := range l.spans {
			out = append(out, f.disagreement(l, s, now))
		}
	}
	sortDisagreements(out)
	return out
}

// disagreement is a span as of now, with what a person decided about it.
func (f *Fold) disagreement(l *fieldLine, s span, now time.Time) Disagreement {
	d := Disagreement{Topic: f.topic, Key: f.key, Field: l.field, Object: l.object, Owner: s.by, OwnerValue: s.owner.value.text(), OwnerTime: s.owner.ev.Time, OwnerSeenAt: s.owner.ev.IngestedAt,
		System: s.system, Value: s.other.value.text(), Time: s.other.ev.Time, SeenAt: s.other.ev.IngestedAt, Since: s.since, Deadline: l.deadline(&s), Page: l.owner.Page, Flaps: s.flaps}
	if s.fix != nil {
		c, at := s.fix.ev.Correction, s.fix.ev.IngestedAt
		d.Accepted, d.AcceptedValue, d.AcceptedAt, d.Who, d.Why = c.Of, s.fix.value.text(), &at, c.Who, c.Why
		d.AcceptedBy, _ = s.fix.ev.System.Team()
	}
	end := now
	if !s.closed.IsZero() {
		end = s.closed
		d.Closed = &end
	}
	d.DurationMS = max(0, end.Sub(d.Since).Milliseconds())
	d.Overdue = end.After(d.Deadline)
	f.decided(&d, now)
	return d
}

func sortDisagreements(list []Disagreement) {
	slices.SortFunc(list, func(a, b Disagreement) int {
		if (a.Closed == nil) != (b.Closed == nil) {
			if a.Closed == nil {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Object, b.Object), cmp.Compare(a.System, b.System))
	})
}
