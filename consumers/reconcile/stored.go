package reconcile

import (
	"fmt"
	"time"
	"unique"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/s2"
	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/consumers/reconcile/money"
	"github.com/binaryandbeyond/seam/schemas"
)

// A fold is stored as CBOR, packed by s2. Times are microseconds since 1970 in UTC, 0 for none. Whoever changes these types
// counts layout up: a view of another layout is made anew from the topics.
type (
	storedFold struct {
		_         struct{} `cbor:",toarray"`
		Events    []storedFact
		Gone      []storedFact
		Answers   []storedAnswer
		Decisions []storedDecision
		Erased    bool
	}
	storedDecision struct {
		_                                     struct{} `cbor:",toarray"`
		Partition                             int32
		Offset                                int64
		Kind, Field, Object, System, Who, Why string
		Time, Until                           int64
	}
	storedFact struct {
		_                         struct{} `cbor:",toarray"`
		ID, Type, System, Source  string
		Time, IngestedAt          int64
		SourceVersion, BusinessID string
		Copies                    int
		Undecodable               string
		Partition                 int32
		Offset                    int64
		Said                      []storedWord
		Refs                      []storedRef
		Paid                      []storedMovement
		Origin                    *storedOrigin
		Read                      *storedRead
		Correction                *storedCorrection
		Trace                     string
	}
	storedRead struct {
		_                                                        struct{} `cbor:",toarray"`
		Integration, Operation, Event, Reference, Result, Detail string
	}
	storedOrigin struct {
		_  struct{} `cbor:",toarray"`
		ID string
		At int64
	}
	storedCorrection struct {
		_                 struct{} `cbor:",toarray"`
		Field, Object, Of string
		Held              []string
		Basis             []storedBasis
		Who, Why          string
	}
	storedBasis struct {
		_               struct{} `cbor:",toarray"`
		System, Version string
		Time            int64
	}
	storedWord struct {
		_                    struct{} `cbor:",toarray"`
		Field, Object, Shown string
		Hash                 []byte // nil for what is not personal
	}
	storedRef struct {
		_           struct{} `cbor:",toarray"`
		Kind, Value string
	}
	// Of a movement, what its event tells is not stored again: system, version, event id, when it was seen and said.
	storedMovement struct {
		_                            struct{} `cbor:",toarray"`
		Kind, Object, Whole, Payment string
		Reference, Amount, Currency  string
		Withdrawn                    bool
		At, SaidAt                   int64
	}
	storedAnswer struct {
		_                  struct{} `cbor:",toarray"`
		Integration, Event string
		Outcomes           []storedOutcome
	}
	storedOutcome struct {
		_                              struct{} `cbor:",toarray"`
		Partition                      int32
		Offset                         int64
		Kind, Reason, Detail, Instance string
		Time, Until                    int64
		Again                          bool
		Made                           *storedMade
	}
	storedMade struct {
		_                         struct{} `cbor:",toarray"`
		Operation, Reference, Key string
		Withheld, Why             []string
		Attempts                  []storedAttempt
		Facts                     *storedFacts
	}
	storedFacts struct {
		_                         struct{} `cbor:",toarray"`
		ID                        string
		KnownAt, AskedAt, FactsAt int64
		Facts                     []storedUsed
	}
	storedUsed struct {
		_                                               struct{} `cbor:",toarray"`
		Field, Object, SKU, Owner, SourceVersion, Agree string
		AsOf, Age                                       int64
	}
	storedAttempt struct {
		_             struct{} `cbor:",toarray"`
		At, TookMS    int64
		Status        int
		Class, Detail string
	}
)

// pack is the fold's facts as bytes.
func (f *Fold) pack() ([]byte, error) {
	s := storedFold{Erased: f.erased}
	for _, ev := range f.events {
		s.Events = append(s.Events, storeFact(ev))
	}
	for _, g := range f.gone {
		s.Gone = append(s.Gone, storeFact(g))
	}
	for k, a := range f.answers {
		sa := storedAnswer{Integration: k.integration, Event: string(k.event)}
		for _, o := range a.outcomes {
			sa.Outcomes = append(sa.Outcomes, storeOutcome(o))
		}
		s.Answers = append(s.Answers, sa)
	}
	for _, d := range f.decisions {
		sd := storedDecision{Partition: d.at.Partition, Offset: d.at.Offset, Kind: string(d.kind), Field: string(d.field), Object: d.object, System: string(d.system), Who: d.who, Why: d.why, Time: micros(d.time)}
		if d.until != nil {
			sd.Until = micros(*d.until)
		}
		s.Decisions = append(s.Decisions, sd)
	}
	b, err := cbor.Marshal(s)
	return s2.Encode(nil, b), err
}

// unpack adds the facts that pack wrote to an empty fold.
func (f *Fold) unpack(b []byte) error {
	raw, err := s2.Decode(nil, b)
	if err != nil {
		return fmt.Errorf("stored facts of %s %s: %w", f.topic, f.key, err)
	}
	var s storedFold
	if err := cbor.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("stored facts of %s %s: %w", f.topic, f.key, err)
	}
	f.erased = s.Erased
	for i := range s.Events {
		ev, err := s.Events[i].fact()
		if err != nil {
			return fmt.Errorf("stored facts of %s %s: %w", f.topic, f.key, err)
		}
		f.events[ev.ID] = ev
	}
	for i := range s.Gone {
		g, err := s.Gone[i].fact()
		if err != nil {
			return fmt.Errorf("stored facts of %s %s: %w", f.topic, f.key, err)
		}
		f.gone[g.ID] = g
	}
	for _, sd := range s.Decisions {
		d := decision{at: Position{sd.Partition, sd.Offset}, kind: schemas.CommandKind(sd.Kind), field: schemas.Field(sd.Field), object: sd.Object, system: schemas.System(sd.System), who: sd.Who, why: sd.Why,
			time: fromMicros(sd.Time)}
		if sd.Until != 0 {
			until := fromMicros(sd.Until)
			d.until = &until
		}
		f.decisions = append(f.decisions, d)
	}
	for _, sa := range s.Answers {
		a := f.answer(sa.Integration, schemas.EventID(sa.Event))
		for i := range sa.Outcomes {
			a.outcomes = append(a.outcomes, sa.Outcomes[i].outcome())
		}
	}
	return nil
}

func storeFact(f *fact) storedFact {
	s := storedFact{ID: string(f.ID), Type: string(f.Type), System: string(f.System), Source: f.Source, Time: micros(f.Time), IngestedAt: micros(f.IngestedAt), SourceVersion: f.SourceVersion,
		BusinessID: f.BusinessID, Copies: f.Copies, Undecodable: f.Undecodable, Partition: f.at.Partition, Offset: f.at.Offset, Trace: f.TraceID}
	s.Correction = storeCorrection(f.Correction)
	for _, w := range f.said {
		sw := storedWord{Field: string(w.field), Object: w.object, Shown: w.value.text()}
		if w.value.hash != ([16]byte{}) {
			sw.Hash = w.value.hash[:]
		}
		s.Said = append(s.Said, sw)
	}
	for _, r := range f.refs {
		s.Refs = append(s.Refs, storedRef{Kind: r.kind, Value: r.value})
	}
	for _, m := range f.paid {
		s.Paid = append(s.Paid, storedMovement{Kind: string(m.Kind), Object: m.Object, Whole: m.Whole, Payment: m.Payment, Reference: m.Reference, Amount: m.Amount.String(), Currency: m.Currency,
			Withdrawn: m.Withdrawn, At: micros(m.At), SaidAt: micros(m.SaidAt)})
	}
	if f.origin != nil {
		s.Origin = &storedOrigin{ID: f.origin.id, At: micros(f.origin.at)}
	}
	s.Read = storeRead(f.read)
	return s
}

func (s *storedFact) fact() (*fact, error) {
	f := &fact{at: Position{s.Partition, s.Offset}, Event: Event{ID: schemas.EventID(s.ID), Type: schemas.EventType(s.Type), System: schemas.System(s.System), Source: s.Source, Time: fromMicros(s.Time),
		IngestedAt: fromMicros(s.IngestedAt), SourceVersion: s.SourceVersion, BusinessID: s.BusinessID, Copies: s.Copies, Undecodable: s.Undecodable, Correction: s.Correction.correction(), Partition: s.Partition, Offset: s.Offset, TraceID: s.Trace}}
	for _, sw := range s.Said {
		w := word{field: schemas.Field(sw.Field), object: sw.Object, value: value{shown: unique.Make(sw.Shown)}}
		copy(w.value.hash[:], sw.Hash)
		f.said = append(f.said, w)
	}
	for _, r := range s.Refs {
		f.refs = append(f.refs, ref{r.Kind, r.Value})
	}
	for _, m := range s.Paid {
		amount, err := decimal.NewFromString(m.Amount)
		if err != nil {
			return nil, fmt.Errorf("amount of %s: %w", m.Object, err)
		}
		f.paid = append(f.paid, money.Movement{Kind: money.Kind(m.Kind), System: f.System, Object: m.Object, Whole: m.Whole, Payment: m.Payment, Reference: m.Reference, Amount: amount, Currency: m.Currency,
			Withdrawn: m.Withdrawn, At: fromMicros(m.At), SaidAt: fromMicros(m.SaidAt), EventID: f.ID, Version: f.SourceVersion, SeenAt: f.IngestedAt})
	}
	if s.Origin != nil {
		f.origin = &origin{id: s.Origin.ID, at: fromMicros(s.Origin.At)}
	}
	f.read = s.Read.readBack()
	f.ReadBack = readBackText(f.read)
	return f, nil
}

func storeOutcome(o *outcome) storedOutcome {
	s := storedOutcome{Partition: o.at.Partition, Offset: o.at.Offset, Kind: string(o.kind), Reason: string(o.reason), Detail: o.detail, Instance: o.instance, Time: micros(o.time), Again: o.again}
	if o.until != nil {
		s.Until = micros(*o.until)
	}
	if m := o.made; m != nil {
		s.Made = &storedMade{Operation: m.operation, Reference: m.reference, Key: m.key, Withheld: m.withheld, Why: texts(m.why), Facts: storeFacts(m.facts)}
		for _, a := range m.attempts {
			s.Made.Attempts = append(s.Made.Attempts, storedAttempt{At: micros(a.At), TookMS: a.TookMS, Status: a.Status, Class: a.Class, Detail: a.Detail})
		}
	}
	return s
}

func (s *storedOutcome) outcome() *outcome {
	o := &outcome{at: Position{s.Partition, s.Offset}, kind: schemas.Kind(s.Kind), reason: schemas.Reason(s.Reason), detail: s.Detail, instance: s.Instance, time: fromMicros(s.Time), again: s.Again}
	if s.Until != 0 {
		until := fromMicros(s.Until)
		o.until = &until
	}
	if m := s.Made; m != nil {
		o.made = &made{operation: m.Operation, reference: m.Reference, key: m.Key, withheld: m.Withheld, why: words[schemas.Reason](m.Why), facts: m.Facts.used()}
		for _, a := range m.Attempts {
			o.made.attempts = append(o.made.attempts, schemas.Attempt{At: fromMicros(a.At), TookMS: a.TookMS, Status: a.Status, Class: a.Class, Detail: a.Detail})
		}
	}
	return o
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
