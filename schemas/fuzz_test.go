package schemas

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FuzzRecords: bytes of any topic either fail as poison or give a value; the first names the topic's kind.
func FuzzRecords(f *testing.F) {
	s := newSerde(f)
	kinds := []struct {
		schema string
		decode func(context.Context, []byte) error
	}{
		{"outcome", func(ctx context.Context, b []byte) error { _, err := s.DecodeOutcome(ctx, b); return err }},
		{"ledger_entry", func(ctx context.Context, b []byte) error { _, err := s.DecodeLedgerEntry(ctx, b); return err }},
		{"parked_record", func(ctx context.Context, b []byte) error { _, err := s.DecodeParkedRecord(ctx, b); return err }},
		{"quarantined", func(ctx context.Context, b []byte) error { _, err := s.DecodeQuarantined(ctx, b); return err }},
		{"command", func(ctx context.Context, b []byte) error { _, err := s.DecodeCommand(ctx, b); return err }},
		{"disagreement", func(ctx context.Context, b []byte) error { _, err := s.DecodeDisagreement(ctx, b); return err }},
		{"worker_status", func(ctx context.Context, b []byte) error { _, err := s.DecodeWorkerStatus(ctx, b); return err }},
		{"contract", func(ctx context.Context, b []byte) error { _, err := s.DecodeContract(ctx, b); return err }},
		{"sealing_key", func(ctx context.Context, b []byte) error { _, err := s.DecodeSealingKey(ctx, b); return err }},
	}
	headers := make([][]byte, len(kinds))
	for i, k := range kinds {
		headers[i] = framed(f, s, SchemaText(k.schema), nil)
		f.Add(uint8(i), []byte{})
		f.Add(uint8(i), []byte{2, 'a', 0, 2, 'b', 0x80, 0x80, 0x80, 0x80, 0x10})
		f.Add(uint8(i), make([]byte, 200))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		i := int(which) % len(kinds)
		b := append(headers[i][:len(headers[i]):len(headers[i])], body...)
		if err := kinds[i].decode(t.Context(), b); err != nil && !errors.Is(err, ErrPoison) {
			t.Fatalf("%s: %v is not ErrPoison", kinds[i].schema, err)
		}
	})
}

// FuzzEnvelope: headers that are taken for whole name the event.
func FuzzEnvelope(f *testing.F) {
	f.Add("ce_id", "1", "ce_time", "2026-11-02T08:00:00Z")
	f.Add("ce_specversion", "1.0", "ce_type", "")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string) {
		headers := []kgo.RecordHeader{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte("e")}, {Key: "ce_type", Value: []byte("order.created")}, {Key: "ce_source", Value: []byte("/s")},
			{Key: "ce_system", Value: []byte("shop")}, {Key: "ce_subject", Value: []byte("1")}, {Key: "ce_time", Value: []byte("2026-11-02T08:00:00Z")}, {Key: k1, Value: []byte(v1)}, {Key: k2, Value: []byte(v2)}}
		if e, ok := EnvelopeOf(headers); ok && (e.ID == "" || e.Type == "" || e.Source == "" || e.System == "" || e.Subject == "") {
			t.Fatalf("taken for whole: %+v", e)
		}
	})
}

// FuzzMoney: an amount that is taken is written as it was read.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{"12.50", "-0", "1e3", "99999999999999999999", "0.00001", ".5", "+1", "NaN"} {
		f.Add(s, "EUR")
	}
	f.Fuzz(func(t *testing.T, amount, currency string) {
		m, err := NewMoney(amount, currency)
		if err != nil {
			return
		}
		again, err := NewMoney(m.Amount.String(), m.Currency)
		if err != nil || !again.Amount.Equal(m.Amount) || again.Currency != m.Currency {
			t.Fatalf("%s %s became %+v and then %+v (%v)", amount, currency, m, again, err)
		}
	})
}
