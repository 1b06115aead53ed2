package sim

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCorrections: what each system lets be corrected, of what it knows, and a repetition changes nothing.
func TestCorrections(t *testing.T) {
	t.Parallel()
	url, _ := edge(t, ok)
	w := run(t, url)
	const money = `{"amount":"12.50","currency":"EUR"}`
	want(t, w, "erp", "PATCH", "/v1/orders/A1", "", `{"payment_status":"refunded"}`, 404)
	want(t, w, "erp", "PUT", "/v1/orders/A1", "", `{"external_id":"A1","status":"open","payment_status":"paid","total":`+money+`,"version":"1"}`, 201)
	for range 2 {
		want(t, w, "erp", "PATCH", "/v1/orders/A1", "", `{"payment_status":"refunded"}`, 200)
	}
	if o := w.ERPOrders()["A1"]; o.PaymentStatus != "refunded" || o.Status != "open" || o.Amount != "12.50" || o.Version != "1" || o.Writes != 2 {
		t.Errorf("order = %+v", o)
	}
	want(t, w, "tax", "POST", "/v1/transactions/A1/corrections", "t0", `{"total":`+money+`}`, 404)
	want(t, w, "tax", "POST", "/v1/transactions", "t1", `{"order_id":"A1","total":`+money+`}`, 201)
	want(t, w, "tax", "POST", "/v1/transactions/A1/corrections", "t2", `{}`, 422)
	for range 2 {
		want(t, w, "tax", "POST", "/v1/transactions/A1/corrections", "t3", `{"total":`+money+`}`, 201)
	}
	want(t, w, "crm", "PATCH", "/v1/contacts/C1", "", `{"phone":"2"}`, 404)
	want(t, w, "crm", "PUT", "/v1/contacts/C1", "", `{"email":"a@example.com","phone":"1"}`, 201)
	for range 2 {
		want(t, w, "crm", "PATCH", "/v1/contacts/C1", "", `{"phone":"2"}`, 200)
	}
	const address = `{"reference":"A1","ship_to":{"city":"Graz"}}`
	want(t, w, "warehouse", "POST", "/v1/corrections", "w0", address, 404)
	want(t, w, "warehouse", "POST", "/v1/fulfillments", "w1", parcel, 201)
	want(t, w, "warehouse", "POST", "/v1/corrections", "w2", `{"reference":"A1"}`, 422)
	if status, text, err := call(t, w, "warehouse", "POST", "/v1/corrections", "w3", address); err != nil || status != 200 && status != 409 { // it may have left
		t.Errorf("%d %s %v", status, text, err)
	}
	for name, ops := range map[string]map[string]int{"erp": {"order": 1, "correct": 1}, "tax": {"transaction": 1, "correction": 1}} {
		if d := cmp.Diff(ops, w.System(name).Effects()["A1"]); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if d := cmp.Diff(map[string]int{"contact": 1, "correct": 1}, w.System("crm").Effects()["C1"]); d != "" {
		t.Errorf("crm (-want +got):\n%s", d)
	}
}
