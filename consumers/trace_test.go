package consumers

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestAnOutcomeIsOneLine with what on-call looks for, and without the detail, which may quote an answer. Which outcomes are told
// at info is a choice.
func TestAnOutcomeIsOneLine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	made := &schemas.Outcome{Topic: "orders", Partition: 3, Offset: 42, OrderID: "o1", EventID: "e1", EventType: schemas.OrderCreated, Kind: schemas.Delivered, Detail: "ann@example.com",
		Attempts: []schemas.Attempt{{At: at.Add(-1500 * time.Millisecond)}, {At: at}}, IngestedAt: at.Add(-time.Minute), At: at, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	passed := &schemas.Outcome{Kind: schemas.Withheld, Reason: schemas.ReasonNotSubscribed, At: at}
	told := func(choice string, level slog.Level, o *schemas.Outcome) map[string]any {
		var b bytes.Buffer
		e := &engine{Config: Config{LogOutcomes: choice}, ctx: t.Context(), log: slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}))}
		e.logOutcome(o)
		if b.Len() == 0 {
			return nil
		}
		var line map[string]any
		if err := json.Unmarshal(b.Bytes(), &line); err != nil { // two lines are none
			t.Fatal(err)
		}
		delete(line, "time")
		return line
	}
	want := map[string]any{"level": "INFO", "msg": "outcome", "topic": "orders", "partition": 3.0, "offset": 42.0, "order_id": "o1", "event_id": "e1", "event_type": "order.created",
		"outcome": "delivered", "reason": "", "attempts": 2.0, "duration_ms": 1500.0, "age_ms": 60000.0, "trace_id": "0af7651916cd43dd8448eb211c80319c"}
	if d := cmp.Diff(want, told("", slog.LevelInfo, made)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, tt := range []struct {
		choice string
		level  slog.Level
		o      *schemas.Outcome
		is     bool
	}{
		{"", slog.LevelInfo, passed, false}, {"", slog.LevelDebug, passed, true}, {LogActed, slog.LevelInfo, passed, false}, {LogActed, slog.LevelInfo, made, true},
		{LogAll, slog.LevelInfo, passed, true}, {LogNone, slog.LevelInfo, made, false}, {LogNone, slog.LevelDebug, made, true}, {LogAll, slog.LevelWarn, made, false},
	} {
		if got := told(tt.choice, tt.level, tt.o) != nil; got != tt.is {
			t.Errorf("%q at %s: an outcome of reason %q is told: %v", tt.choice, tt.level, tt.o.Reason, got)
		}
	}
}

// TestAnOutcomesRecordCarriesItsTrace where there is one; where there is none it has no header for it.
func TestAnOutcomesRecordCarriesItsTrace(t *testing.T) {
	t.Parallel()
	for _, traceparent := range []string{"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		e := &engine{ctx: t.Context(), log: slog.New(slog.DiscardHandler), batch: newBatch(1), counts: NewMetrics(nil).of(&topology.Integration{Name: "down"})}
		e.emit(&partition{}, &schemas.Outcome{OrderID: "o1", Kind: schemas.Delivered, TraceParent: traceparent})
		headers := e.batch.records[0].rec.Headers
		if env, _ := schemas.EnvelopeOf(headers); env.TraceParent != traceparent || slices.ContainsFunc(headers, func(h kgo.RecordHeader) bool { return len(h.Value) == 0 && h.Key == "traceparent" }) {
			t.Errorf("of trace %q the record carries %q", traceparent, env.TraceParent)
		}
	}
}

// BenchmarkOutcomeLog is what the line of an outcome costs a worker: told at info, and not told. docs/tracing.md names it.
func BenchmarkOutcomeLog(b *testing.B) {
	at := time.Now()
	o := &schemas.Outcome{Topic: "orders", Partition: 3, Offset: 42, OrderID: "820982911946154508", EventID: "45ddbe89-ca9e-5a31-87d0-6bd5a930962a", EventType: schemas.OrderCreated,
		Kind: schemas.Withheld, Reason: schemas.ReasonNotSubscribed, IngestedAt: at, At: at, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	for _, choice := range []string{LogAll, LogActed} {
		b.Run(choice, func(b *testing.B) {
			var lines bytes.Buffer
			e := &engine{Config: Config{LogOutcomes: choice}, ctx: b.Context(), log: slog.New(slog.NewJSONHandler(&lines, nil))}
			b.ReportAllocs()
			for b.Loop() {
				e.logOutcome(o)
				lines.Reset()
			}
		})
	}
}
