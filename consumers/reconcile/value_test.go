package reconcile

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
)

// TestPersonalFields holds the table to the model: what it names exists, and what is not in it was looked at.
func TestPersonalFields(t *testing.T) {
	t.Parallel()
	open := []schemas.Field{"order.status", "order.payment_status", "order.fulfillment_status", "order.total", "order.tax", "order.lines",
		"payment.amount", "refund.amount", "fulfillment.status", "fulfillment.tracking_number", "fraud.level", "invoice.total", "customer.segment", "inventory.available", "order.subtotal", "order.shipping", "order.discount", "order.presentment_total"}
	var got []schemas.Field
	for _, f := range schemas.Fields() {
		if f.Comparable() && !personal[f] {
			got = append(got, f)
		}
	}
	if d := cmp.Diff(open, got); d != "" {
		t.Errorf("fields that are shown as they are (-want +got); is the new one personal?\n%s", d)
	}
	for f := range personal {
		if !slices.Contains(schemas.Fields(), f) {
			t.Errorf("%s is no field of the model", f)
		}
	}
}

func TestMaskText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                      "",
		"no such order 820982911946154508":      "no such order 820982911946154508",
		"jane.roe@example.co.uk is taken":       "j***@***.uk is taken",
		"call +43 (0)660 123-4567 now":          "call +*** now",
		`{"name":"Jane \"J\" Roe","sku":"A-1"}`: `{"name":"***","sku":"A-1"}`,
		`{"first_name": "Jane","last_name":"Ro`: `{"first_name": "***","last_name":"***"`,
		`{"note":"ring twice","zip":"1010"}`:    `{"note":"***","zip":"***"}`,
		"answered 422: total 12.50 EUR, not 13": "answered 422: total 12.50 EUR, not 13",
	} {
		if got := schemas.MaskText(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
