package producers

import (
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// TestParseEvent reads an event as the edge would, or says which member is at fault.
func TestParseEvent(t *testing.T) {
	t.Parallel()
	source := &topology.Source{Name: "admin", System: "shop", Platform: topology.StandardWebhooks}
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	ev, err := ParseEvent(source, "d1", []byte(`{"type":"order.created","timestamp":"2026-11-23T07:00:00Z","data":{"order_id":"1001","version":"7","order":{"total":{"amount":"12.50","currency":"EUR"}}}}`), at)
	if err != nil {
		t.Fatal(err)
	}
	if ev.ID != schemas.NewEventID("/webhooks/admin", "d1", "") || ev.System != "shop" || ev.Subject != "1001" || ev.SourceVersion != "7" || ev.Order.Total.String() != "12.50 EUR" || !ev.IngestedAt.Equal(at) {
		t.Errorf("got %+v", ev)
	}
	for body, want := range map[string]string{
		`{"type":"order.made","timestamp":"2026-11-23T07:00:00Z","data":{}}`: `type: found "order.made": send one of Seam's event types (order.updated, fulfillment.shipped, ...)`,
		`{"type":"order.created","data":{"order_id":"1"}}`:                   `timestamp: is missing: say when it happened, as RFC 3339`,
		`{`: `the body is not exact JSON: offset 1: a member name was expected (a trailing comma?)`,
	} {
		if _, err := ParseEvent(source, "d1", []byte(body), at); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}
