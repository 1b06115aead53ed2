package schemas

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// EncodeEvent gives the Confluent-framed bytes of an event. Its topic follows from its type; subject is that topic's,
// with the environment's prefix: "orders-value". An event that lacks identity, or a value that the schema cannot
// carry without loss, is an error that names the field. With a Sealer what is personal is sealed, and left out once its
// subject is erased.
func (s *Serde) EncodeEvent(ctx context.Context, subject string, ev *Event) ([]byte, error) {
	if err := checkEvent(ev); err != nil {
		return nil, fmt.Errorf("encode event %s: %w", ev.ID, err)
	}
	name := SchemaFor(ev.Type.Topic())
	sealed, err := s.sealEvent(name, ev)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", ev.ID, err)
	}
	return encode(ctx, s, subject, name, sealed)
}

// checkEvent tells which fields that no event may lack are empty.
func checkEvent(ev *Event) error {
	var lacks []string
	for _, f := range []struct {
		name  string
		empty bool
	}{
		{"id", ev.ID == ""}, {"type", ev.Type == ""}, {"source", ev.Source == ""}, {"system", ev.System == ""},
		{"subject", ev.Subject == ""}, {"time", ev.Time.IsZero()}, {"ingested_at", ev.IngestedAt.IsZero()},
	} {
		if f.empty {
			lacks = append(lacks, f.name)
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("%s must be set", strings.Join(lacks, ", "))
	}
	return nil
}

// DecodeEvent reads an event of any of the event topics, written with any version of its schema. With a Sealer what is
// personal is opened; once it is erased, or without a Sealer, the event has Sealed. Errors: ErrPoison, ErrUnknownSchema,
// ErrRegistry, and the Sealer's while it cannot learn its keys.
func (s *Serde) DecodeEvent(ctx context.Context, b []byte) (*Event, error) {
	ev, err := s.DecodeSealed(ctx, b)
	if err == nil {
		err = s.OpenEvent(ctx, ev, b)
	}
	if err != nil {
		return nil, err
	}
	return ev, nil
}

// DecodeSealed is DecodeEvent for who may never need what is personal: it stays in Sealed, until OpenEvent opens it.
func (s *Serde) DecodeSealed(ctx context.Context, b []byte) (*Event, error) {
	w, err := s.writerOf(ctx, b)
	if err != nil {
		return nil, err
	}
	return decode[Event](ctx, s, w.event(), b)
}

// OpenEvent puts what is personal back into an event that DecodeSealed read from b; errors as DecodeEvent.
func (s *Serde) OpenEvent(ctx context.Context, ev *Event, b []byte) error {
	if s.sealer == nil || ev.Sealed == nil {
		return nil
	}
	w, err := s.writerOf(ctx, b)
	if err != nil {
		return err
	}
	err = open(ctx, s, w, w.event(), SealSubject(ev.Type.Topic(), ev.Subject), ev.ID, ev, func(ev *Event) *[]byte { return &ev.Sealed })
	if ev.Sealed == nil {
		ev.SealedSays = 0
	}
	return err
}

// writerOf is the schema that an event's bytes were written with.
func (s *Serde) writerOf(ctx context.Context, b []byte) (*writer, error) {
	id, _, err := SplitHeader(b)
	if err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	w, err := s.writer(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	return w, nil
}

// EncodeOutcome gives the bytes of an outcome.
func (s *Serde) EncodeOutcome(ctx context.Context, subject string, o *Outcome) ([]byte, error) {
	return encode(ctx, s, subject, "outcome", o)
}

// DecodeOutcome reads an outcome; errors as DecodeEvent.
func (s *Serde) DecodeOutcome(ctx context.Context, b []byte) (*Outcome, error) {
	return decode[Outcome](ctx, s, "outcome", b)
}

// EncodeLedgerEntry gives the bytes of a ledger entry.
func (s *Serde) EncodeLedgerEntry(ctx context.Context, subject string, e *LedgerEntry) ([]byte, error) {
	return encode(ctx, s, subject, "ledger_entry", e)
}

// DecodeLedgerEntry reads a ledger entry; errors as DecodeEvent.
func (s *Serde) DecodeLedgerEntry(ctx context.Context, b []byte) (*LedgerEntry, error) {
	return decode[LedgerEntry](ctx, s, "ledger_entry", b)
}

// EncodeParkedRecord gives the bytes of a parked record.
func (s *Serde) EncodeParkedRecord(ctx context.Context, subject string, p *ParkedRecord) ([]byte, error) {
	return encode(ctx, s, subject, "parked_record", p)
}

// DecodeParkedRecord reads a parked record; errors as DecodeEvent.
func (s *Serde) DecodeParkedRecord(ctx context.Context, b []byte) (*ParkedRecord, error) {
	return decode[ParkedRecord](ctx, s, "parked_record", b)
}

// EncodeQuarantined gives the bytes of quarantined input, with a Sealer sealed as EncodeEvent does.
func (s *Serde) EncodeQuarantined(ctx context.Context, subject string, q *Quarantined) ([]byte, error) {
	sealed, err := seal(s, "quarantined", QuarantineSubject(q.ID), q.ID, q, sealedOfQuarantined, func(*Quarantined) {})
	if err != nil {
		return nil, fmt.Errorf("encode quarantined %s: %w", q.ID, err)
	}
	return encode(ctx, s, subject, "quarantined", sealed)
}

// DecodeQuarantined reads quarantined input, with a Sealer opened as DecodeEvent does; errors as DecodeEvent.
func (s *Serde) DecodeQuarantined(ctx context.Context, b []byte) (*Quarantined, error) {
	q, err := decode[Quarantined](ctx, s, "quarantined", b)
	if err != nil {
		return nil, err
	}
	id, _, _ := SplitHeader(b) // as decode did
	w, err := s.writer(ctx, id)
	if err == nil {
		err = open(ctx, s, w, "quarantined", QuarantineSubject(q.ID), q.ID, q, sealedOfQuarantined)
	}
	if err != nil {
		return nil, fmt.Errorf("decode quarantined %s: %w", q.ID, err)
	}
	return q, nil
}

// EncodeDisagreement gives the bytes of how a disagreement stands.
func (s *Serde) EncodeDisagreement(ctx context.Context, subject string, d *Disagreement) ([]byte, error) {
	return encode(ctx, s, subject, "disagreement", d)
}

// DecodeDisagreement reads how a disagreement stands; errors as DecodeEvent.
func (s *Serde) DecodeDisagreement(ctx context.Context, b []byte) (*Disagreement, error) {
	return decode[Disagreement](ctx, s, "disagreement", b)
}

// EncodeCommand gives the bytes of a person's decision.
func (s *Serde) EncodeCommand(ctx context.Context, subject string, c *Command) ([]byte, error) {
	return encode(ctx, s, subject, "command", c)
}

// DecodeCommand reads a person's decision; errors as DecodeEvent.
func (s *Serde) DecodeCommand(ctx context.Context, b []byte) (*Command, error) {
	return decode[Command](ctx, s, "command", b)
}

// EncodeWorkerStatus gives the bytes of a worker's status.
func (s *Serde) EncodeWorkerStatus(ctx context.Context, subject string, w *WorkerStatus) ([]byte, error) {
	return encode(ctx, s, subject, "worker_status", w)
}

// DecodeWorkerStatus reads a worker's status; errors as DecodeEvent.
func (s *Serde) DecodeWorkerStatus(ctx context.Context, b []byte) (*WorkerStatus, error) {
	return decode[WorkerStatus](ctx, s, "worker_status", b)
}

// scratch is buffers to encode in: how long a value becomes is known only then.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the largest buffer that is kept: an order of a hundred lines fits.
const maxScratch = 64 << 10

// encode asks for the schema's id last: a value that cannot be written needs no registry.
func encode[T any](ctx context.Context, s *Serde, subject, name string, v *T) ([]byte, error) {
	f := formats[name]
	buf := scratch.Get().(*[]byte)
	body, err := f.write((*buf)[:0], reflect.ValueOf(v).Elem())
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	id, err := s.id(ctx, subject, f)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	out := append(AppendHeader(make([]byte, 0, headerSize+len(body)), id), body...)
	if *buf = body; cap(body) <= maxScratch {
		scratch.Put(buf)
	}
	return out, nil
}

// write appends the Avro bytes of a value: by the short way where the format has one, else by goavro.
func (f *format) write(b []byte, v reflect.Value) ([]byte, error) {
	if f.wired.write != nil {
		return f.wired.write(b, v)
	}
	native, err := f.binding.encode(v)
	if err != nil {
		return nil, err
	}
	return f.codec.BinaryFromNative(b, native)
}

// decode reads what our own schema wrote by the short way, and what any other wrote by goavro.
func decode[T any](ctx context.Context, s *Serde, name string, b []byte) (*T, error) {
	id, body, err := SplitHeader(b)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	w, err := s.writer(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", name, err)
	}
	out := new(T)
	if err := formats[name].read(w, body, reflect.ValueOf(out).Elem()); err != nil {
		return nil, fmt.Errorf("decode %s: schema %d: %w: %w", name, id, ErrPoison, err)
	}
	return out, nil
}

// read reads the Avro bytes of a writer.
func (f *format) read(w *writer, body []byte, v reflect.Value) error {
	p := w.planFor(f)
	if p.err != nil {
		return fmt.Errorf("it cannot be read as %s: %w", f.root.name, p.err)
	}
	if f.wired.read != nil && p.resolve == nil {
		return readWire(f.wired, body, f.kept, v)
	}
	return f.readForeign(w, p, body, v)
}

// readForeign reads bytes of any writer that there is a plan for.
func (f *format) readForeign(w *writer, p *plan, body []byte, v reflect.Value) error {
	native, err := decodeWire(w.codec, body)
	if err == nil && p.resolve != nil {
		native, err = p.resolve(native)
	}
	if err != nil {
		return err
	}
	return f.binding.decode(native, v)
}
