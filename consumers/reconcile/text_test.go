package reconcile_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden holds a text to a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got); -update rewrites it:\n%s", name, d)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

// badMonday is an order of which everything goes wrong.
func badMonday(t *testing.T) *reconcile.Order {
	created := order(t, event("e-created", schemas.OrderCreated, "shop", 0), "20.00 EUR", "paid")
	created.Time = at(-2) // the shop's clock
	created.Order.Email = "jane@example.com"
	paid := event("e-paid", schemas.PaymentCaptured, "shop", 3)
	again := order(t, event("e-again", schemas.OrderCreated, "shop", 6), "20.00 EUR", "paid")
	again.BusinessID = created.BusinessID
	booked := order(t, event("e-erp", schemas.OrderUpdated, "erp", 900), "25.00 EUR", "pending")
	booked.Time = at(60)
	mended := order(t, event("e-erp2", schemas.OrderUpdated, "erp", 1200), "25.00 EUR", "paid")

	waits := outcome("warehouse", "e-created", schemas.OrderCreated, schemas.Parked, schemas.ReasonNeeds, 1)
	waits.Detail = "waits for [payment.captured]"
	refused := outcome("warehouse", "e-created", schemas.OrderCreated, schemas.Parked, schemas.ReasonContract, 9)
	refused.Detail = "answered 418, which integrations/warehouse.yaml:1 does not declare: I am a teapot\x1b[2J"
	refused.Attempts = []schemas.Attempt{{At: at(4), TookMS: 5003, Class: "unknown", Detail: "no answer within 5s"}, {At: at(9), TookMS: 12, Status: 418, Class: "contract", Detail: "I am a teapot"}}
	done := outcome("books", "e-created", schemas.OrderCreated, schemas.Delivered, "", 2)
	done.Reference, done.Attempts = "B-17", []schemas.Attempt{{At: at(2), TookMS: 40, Status: 201, Class: "delivered"}}
	o := fold(load(t, ""), created, paid, created, again, booked, mended, waits, done,
		outcome("books", "e-created", schemas.OrderCreated, schemas.Duplicate, schemas.ReasonSameEvent, 4),
		outcome("books", "e-again", schemas.OrderCreated, schemas.Duplicate, schemas.ReasonSameBusiness, 7),
		outcome("books", "e-erp", schemas.OrderUpdated, schemas.Withheld, schemas.ReasonNotOwner, 901),
		outcome("books", "e-paid", schemas.PaymentCaptured, schemas.Withheld, schemas.ReasonNotSubscribed, 4),
		outcome("warehouse", "e-paid", schemas.PaymentCaptured, schemas.Withheld, schemas.ReasonPrerequisite, 4),
		refused,
	).Order(at(7260))
	o.Freshness = &reconcile.Freshness{BehindRecords: 3, CaughtUpAt: at(7259), CheckedAt: at(7260)}
	return o
}

func TestOrderGolden(t *testing.T) {
	t.Parallel()
	o := badMonday(t)
	var text bytes.Buffer
	if err := o.Write(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "order.txt", text.Bytes())
	golden(t, "order.json", []byte(asJSON(t, o)))
}

func TestStatusGolden(t *testing.T) {
	t.Parallel()
	success := at(-90)
	list := []reconcile.Status{
		{Integration: "books", Team: "finance", State: "running", Circuit: "closed", LastSuccess: &success, ParkedBy: map[schemas.Reason]int64{}, Instances: []reconcile.Instance{{Name: "a", State: "running"}, {Name: "b", State: "stale"}}},
		{Integration: "warehouse", Team: "fulfilment", State: "paused", Circuit: "open", CircuitWhy: "credentials refused:\n401", LagRecords: 12, LagSeconds: 3700, Parked: 3,
			ParkedBy: map[schemas.Reason]int64{schemas.ReasonUnknown: 1, schemas.ReasonContract: 2}, Instances: []reconcile.Instance{{Name: "a", State: "paused"}}},
		{Integration: "erp", Team: "finance", State: "paused", Circuit: "closed", CircuitWhy: "records 1 to 3 of orders/0 were lost to retention"},
		{Integration: "tax", State: "absent"},
	}
	var text bytes.Buffer
	if err := reconcile.WriteStatus(&text, list, noon); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.txt", text.Bytes())
	golden(t, "status.json", []byte(asJSON(t, list)))
}

func TestFreshnessSaysWhatItKnows(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]reconcile.Freshness{
		"how far behind the topics this is, is not known yet":                                               {BehindRecords: -1},
		"nothing is behind, as of 2026-11-23 12:00:00.000":                                                  {CheckedAt: noon, CaughtUpAt: noon},
		"4 records are not in this answer yet":                                                              {BehindRecords: 4, CheckedAt: noon},
		"4 records are not in this answer yet: what happened since 2026-11-23 11:59:59.000 cannot be known": {BehindRecords: 4, CheckedAt: noon, CaughtUpAt: noon.Add(-time.Second)},
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
