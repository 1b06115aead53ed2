package schemas

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// TestMasked: nothing personal is left, the rest is as it was, and the event itself is not changed.
func TestMasked(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	spent := Money{decimal.New(1250, -2), "EUR"}
	made := func() *Event {
		return &Event{ID: "e", Type: OrderCreated, Subject: "1001", Time: at,
			Order: &Order{ID: "1001", Status: "open", Email: "jane@example.com", Total: &spent, CreatedAt: &at, Lines: []Line{{ID: "1", SKU: "MUG"}},
				ShippingAddress: &Address{Name: "Jane Doe", City: "Vienna"}},
			Customer:   &Customer{ID: "7", FirstName: "Jane", TotalSpent: &spent, CreatedAt: &at},
			Extensions: map[string]string{"gift.note": "for Jim"}}
	}
	ev := made()
	got := Masked(ev)
	want := made()
	want.Order.Email, want.Order.ShippingAddress = "j***@***.com", &Address{Name: "J***", City: "V***"}
	want.Customer = &Customer{ID: "7", FirstName: "J***", TotalSpent: &spent}
	want.Extensions = map[string]string{"gift.note": "f***"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("masked (-want +got):\n%s", d)
	}
	if d := cmp.Diff(made(), ev); d != "" {
		t.Errorf("the event was changed (-want +got):\n%s", d)
	}
	if texts := PersonalTexts(got); slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(s, "***") }) {
		t.Errorf("personal texts are left: %q", texts)
	}
	plain := &Event{ID: "e", Order: &Order{ID: "1"}}
	if d := cmp.Diff(plain, Masked(plain)); d != "" {
		t.Errorf("nothing is personal (-want +got):\n%s", d)
	}
}
