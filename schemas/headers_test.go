package schemas

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	ev, _, _ := filledEvents()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	headers := EventHeaders(ev, trace)
	want := Envelope{
		ID: ev.ID, Type: ev.Type, Source: ev.Source, System: ev.System, Subject: ev.Subject, BusinessID: ev.BusinessID,
		SourceVersion: ev.SourceVersion, TraceParent: trace, Time: ev.Time,
	}
	got, ok := EnvelopeOf(headers)
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, d)
	}
	for _, personal := range []string{ev.Order.Email, ev.Customer.LastName, ev.Order.ShippingAddress.Name} {
		for _, h := range headers {
			if strings.Contains(string(h.Value), personal) {
				t.Errorf("header %s tells %q", h.Key, personal)
			}
		}
	}
	for _, h := range EventHeaders(&Event{ID: "e"}, "") {
		if len(h.Value) == 0 {
			t.Errorf("header %s is empty: CloudEvents forbids that", h.Key)
		}
	}
}

// TestEnvelopeRefuses leaves each required header out, and spoils those that have a form.
func TestEnvelopeRefuses(t *testing.T) {
	t.Parallel()
	ev := &Event{ID: "e", Type: OrderCreated, Source: "/s", System: "shop", Subject: "1", Time: time.Unix(1, 0)}
	whole := EventHeaders(ev, "")
	for i, h := range whole {
		without := append(append([]kgo.RecordHeader{}, whole[:i]...), whole[i+1:]...)
		if _, ok := EnvelopeOf(without); ok != (h.Key == "content-type") {
			t.Errorf("without %s: ok %v", h.Key, ok)
		}
	}
	for _, bad := range []kgo.RecordHeader{{Key: "ce_specversion", Value: []byte("2.0")}, {Key: "ce_time", Value: []byte("yesterday")}} {
		if _, ok := EnvelopeOf(append(append([]kgo.RecordHeader{}, whole...), bad)); ok {
			t.Errorf("%s %s is taken", bad.Key, bad.Value)
		}
	}
}
