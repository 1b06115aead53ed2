package schemas

import (
	"sort"
	"strconv"
	"strings"
)

// fields is the table of ownable fields; ownership.yaml may name no other, and a test holds both to each other.
var fields = []fieldAccess{
	textField("order.status", order(func(o *Order) *string { return &o.Status })),
	textField("order.payment_status", order(func(o *Order) *string { return &o.PaymentStatus })),
	textField("order.fulfillment_status", order(func(o *Order) *string { return &o.FulfillmentStatus })),
	textField("order.email", order(func(o *Order) *string { return &o.Email })),
	textField("order.note", order(func(o *Order) *string { return &o.Note })),
	moneyField("order.total", order(func(o *Order) **Money { return &o.Total })),
	moneyField("order.tax", order(func(o *Order) **Money { return &o.Tax })),
	{
		name: "order.lines",
		says: func(ev *Event) bool { return ev.Order != nil && len(ev.Order.Lines) > 0 },
		get: func(ev *Event) (string, bool) {
			if ev.Order == nil || len(ev.Order.Lines) == 0 {
				return "", false
			}
			return linesText(ev.Order.Lines), true
		},
		clear: func(ev *Event) { ev.Order.Lines = nil },
	},
	{
		name: "order.shipping_address",
		says: func(ev *Event) bool { return ev.Order != nil && ev.Order.ShippingAddress != nil },
		get: func(ev *Event) (string, bool) {
			if ev.Order == nil || ev.Order.ShippingAddress == nil {
				return "", false
			}
			a := ev.Order.ShippingAddress
			return strings.Join([]string{a.Name, a.Company, a.Address1, a.Address2, a.City, a.Province, a.Zip, a.Country, a.Phone}, "|"), true
		},
		clear: func(ev *Event) { ev.Order.ShippingAddress = nil },
	},
	moneyField("payment.amount", func(ev *Event) **Money {
		if ev.Payment == nil {
			return nil
		}
		return &ev.Payment.Amount
	}),
	moneyField("refund.amount", func(ev *Event) **Money {
		if ev.Refund == nil {
			return nil
		}
		return &ev.Refund.Amount
	}),
	textField("fulfillment.status", func(ev *Event) *string {
		if ev.Fulfillment == nil {
			return nil
		}
		return &ev.Fulfillment.Status
	}),
	textField("fulfillment.tracking_number", func(ev *Event) *string {
		if ev.Fulfillment == nil {
			return nil
		}
		return &ev.Fulfillment.TrackingNumber
	}),
	textField("fraud.level", func(ev *Event) *string {
		if ev.Fraud == nil {
			return nil
		}
		return &ev.Fraud.Level
	}),
	moneyField("invoice.total", func(ev *Event) **Money {
		if ev.Invoice == nil {
			return nil
		}
		return &ev.Invoice.Total
	}),
	{
		name: "order.enrichment",
		says: func(ev *Event) bool { return ev.Enrichment != nil },
		get: func(ev *Event) (string, bool) {
			if ev.Enrichment == nil {
				return "", false
			}
			return ev.Enrichment.Category + "|" + ev.Enrichment.Summary + "|" + strings.Join(ev.Enrichment.Tags, ","), true
		},
		clear: func(ev *Event) { ev.Enrichment = nil },
	},
	textField("customer.email", customer(func(c *Customer) *string { return &c.Email })),
	{
		name: "customer.name",
		says: func(ev *Event) bool {
			return ev.Customer != nil && ev.Customer.FirstName+ev.Customer.LastName != ""
		},
		get: func(ev *Event) (string, bool) {
			if ev.Customer == nil || ev.Customer.FirstName+ev.Customer.LastName == "" {
				return "", false
			}
			return strings.TrimSpace(ev.Customer.FirstName + " " + ev.Customer.LastName), true
		},
		clear: func(ev *Event) { ev.Customer.FirstName, ev.Customer.LastName = "", "" },
	},
	textField("customer.phone", customer(func(c *Customer) *string { return &c.Phone })),
	textField("customer.segment", customer(func(c *Customer) *string { return &c.Segment })),
	{
		name: "inventory.available",
		says: func(ev *Event) bool { return ev.Inventory != nil && ev.Inventory.Available != nil },
		get: func(ev *Event) (string, bool) {
			if ev.Inventory == nil || ev.Inventory.Available == nil {
				return "", false
			}
			return strconv.FormatInt(*ev.Inventory.Available, 10), true
		},
		clear: func(ev *Event) { ev.Inventory.Available = nil },
	},
}

// order lifts an accessor of Order to events; the pointer is nil where the event has no order.
func order[T any](at func(*Order) *T) func(*Event) *T {
	return func(ev *Event) *T {
		if ev.Order == nil {
			return nil
		}
		return at(ev.Order)
	}
}

// customer does the same for Customer.
func customer[T any](at func(*Customer) *T) func(*Event) *T {
	return func(ev *Event) *T {
		if ev.Customer == nil {
			return nil
		}
		return at(ev.Customer)
	}
}

// textField is a field that is one string; empty is "not said".
func textField(name Field, at func(*Event) *string) fieldAccess {
	return fieldAccess{
		name: name,
		says: func(ev *Event) bool {
			p := at(ev)
			return p != nil && *p != ""
		},
		get: func(ev *Event) (string, bool) {
			p := at(ev)
			if p == nil || *p == "" {
				return "", false
			}
			return *p, true
		},
		clear: func(ev *Event) { *at(ev) = "" },
	}
}

// moneyField is a field that is one amount.
func moneyField(name Field, at func(*Event) **Money) fieldAccess {
	return fieldAccess{
		name: name,
		says: func(ev *Event) bool {
			p := at(ev)
			return p != nil && *p != nil
		},
		get: func(ev *Event) (string, bool) {
			p := at(ev)
			if p == nil || *p == nil {
				return "", false
			}
			return (*p).String(), true
		},
		clear: func(ev *Event) { *at(ev) = nil },
	}
}

// linesText is one text for a set of lines, the same whatever their order.
func linesText(lines []Line) string {
	parts := make([]string, len(lines))
	for i, l := range lines {
		parts[i] = l.ID + "x" + strconv.FormatInt(l.Quantity, 10)
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}
