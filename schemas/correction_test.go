package schemas

import (
	"testing"
	"time"
)

// TestOnly takes each comparable field out of a whole event, and nothing else with it.
func TestOnly(t *testing.T) {
	t.Parallel()
	order, customer, inventory := filledEvents()
	for _, field := range Fields() {
		if !field.Comparable() {
			continue
		}
		whole := order
		switch SetOf(field) {
		case SetOf(field) & inCustomer:
			whole = customer
		case SetOf(field) & inInventory:
			whole = inventory
		}
		dst := &Event{Subject: "S"}
		if !Only(dst, whole, field) {
			t.Fatalf("%s is not said", field)
		}
		want, _ := ValueOf(whole, field)
		got, ok := ValueOf(dst, field)
		if !ok || got != want || Says(dst) != SetOf(field) {
			t.Errorf("%s is %q and %v is said, want %q and nothing else", field, got, Says(dst).Names(), want)
		}
		if ObjectOf(dst, field) != ObjectOf(whole, field) {
			t.Errorf("%s is of %q, want %q", field, ObjectOf(dst, field), ObjectOf(whole, field))
		}
		if dst.Dispute != nil || dst.Return != nil || dst.Extensions != nil || dst.Order != nil && (dst.Order.ID != "S" || dst.Order.UpdatedAt != nil) {
			t.Errorf("%s brings more: %+v", field, dst)
		}
		if Only(dst, &Event{}, field) {
			t.Errorf("%s is taken of an event that does not say it", field)
		}
	}
	if Says(order) == 0 {
		t.Error("the event itself was changed")
	}
}

func TestCovers(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, had, version string
		after              time.Duration
		want               bool
	}{
		{"an older version", "5", "4", time.Hour, true},
		{"the same version, told later", "5", "5", time.Hour, true},
		{"a newer version, told earlier", "5", "6", -time.Hour, false},
		{"without versions the clock decides: before", "", "", -1, true},
		{"at the same time", "", "", 0, true},
		{"after", "", "", 1, false},
		{"versions that cannot be compared", "a", "b", 1, false},
		{"one has none", "5", "", -1, true},
	} {
		basis := []OwnerWord{{System: "shop", Version: tt.had, Time: noon}}
		if got := Covered(basis, "shop", tt.version, noon.Add(tt.after)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		if Covered(basis, "admin", tt.version, noon) {
			t.Errorf("%s: another system's state is covered", tt.name)
		}
	}
}

func TestTeamSystem(t *testing.T) {
	t.Parallel()
	if team, ok := TeamSystem("finance").Team(); team != "finance" || !ok {
		t.Errorf("team %q, %v", team, ok)
	}
	if _, ok := System("finance").Team(); ok {
		t.Error("a system is a team")
	}
	for _, topic := range []string{TopicOrders, TopicCustomers, TopicInventory} {
		if et := CorrectionOf(topic); et.Topic() != topic || !et.Corrects() {
			t.Errorf("corrections of %s are %s", topic, et)
		}
	}
	if OrderUpdated.Corrects() {
		t.Error("a state is a correction")
	}
}
