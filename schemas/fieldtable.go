package schemas

import (
	"strconv"
	"strings"
	"time"
)

// fields is the table of ownable fields; ownership.yaml may name no other. New ones are added at the end: the ledger knows
// fields by their places. What is in no field goes with its event: the ids by which it names what it speaks of, the
// updated_at by which its source orders states, returns and disputes, and what the model has no place for.
var fields = []fieldAccess{
	also(textField("order.status", order(func(o *Order) *string { return &o.Status })),
		func(ev *Event) bool { return ev.Order != nil && ev.Order.ClosedAt != nil }, func(ev *Event) { ev.Order.ClosedAt = nil }),
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
	addressField("order.shipping_address", order(func(o *Order) **Address { return &o.ShippingAddress })),
	also(moneyField("payment.amount", payment(func(p *Payment) **Money { return &p.Amount })),
		func(ev *Event) bool {
			p := ev.Payment
			return p != nil && (p.Kind+p.Status+p.Gateway != "" || p.ProcessedAt != nil)
		},
		func(ev *Event) {
			p := ev.Payment
			*p = Payment{ID: p.ID, ParentID: p.ParentID, Reference: p.Reference}
		}),
	also(moneyField("refund.amount", refund(func(r *Refund) **Money { return &r.Amount })),
		func(ev *Event) bool {
			r := ev.Refund
			return r != nil && (r.Status+r.Reason+r.Note != "" || len(r.Lines)+len(r.Payments) > 0 || r.CreatedAt != nil)
		},
		func(ev *Event) { *ev.Refund = Refund{ID: ev.Refund.ID, PaymentID: ev.Refund.PaymentID} }),
	also(textField("fulfillment.status", fulfillment(func(f *Fulfillment) *string { return &f.Status })),
		func(ev *Event) bool {
			f := ev.Fulfillment
			return f != nil && (f.RequestStatus+f.LocationID+f.Reason != "" || len(f.Lines) > 0 || f.CreatedAt != nil)
		},
		func(ev *Event) {
			f := ev.Fulfillment
			*f = Fulfillment{ID: f.ID, UpdatedAt: f.UpdatedAt, TrackingCompany: f.TrackingCompany, TrackingNumber: f.TrackingNumber, TrackingURL: f.TrackingURL}
		}),
	also(textField("fulfillment.tracking_number", fulfillment(func(f *Fulfillment) *string { return &f.TrackingNumber })),
		func(ev *Event) bool {
			return ev.Fulfillment != nil && ev.Fulfillment.TrackingCompany+ev.Fulfillment.TrackingURL != ""
		},
		func(ev *Event) { ev.Fulfillment.TrackingCompany, ev.Fulfillment.TrackingURL = "", "" }),
	also(textField("fraud.level", func(ev *Event) *string {
		if ev.Fraud == nil {
			return nil
		}
		return &ev.Fraud.Level
	}),
		func(ev *Event) bool {
			return ev.Fraud != nil && ev.Fraud.Score+ev.Fraud.Recommendation+ev.Fraud.Provider != ""
		},
		func(ev *Event) { *ev.Fraud = Fraud{ID: ev.Fraud.ID} }),
	also(moneyField("invoice.total", func(ev *Event) **Money {
		if ev.Invoice == nil {
			return nil
		}
		return &ev.Invoice.Total
	}),
		func(ev *Event) bool {
			i := ev.Invoice
			return i != nil && (i.Kind != "" || i.Tax != nil || len(i.Lines) > 0 || i.IssuedAt != nil)
		},
		func(ev *Event) {
			i := ev.Invoice
			*i = Invoice{ID: i.ID, OrderID: i.OrderID, CustomerID: i.CustomerID}
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
	moneyField("order.subtotal", order(func(o *Order) **Money { return &o.Subtotal })),
	moneyField("order.shipping", order(func(o *Order) **Money { return &o.Shipping })),
	moneyField("order.discount", order(func(o *Order) **Money { return &o.Discount })),
	moneyField("order.presentment_total", order(func(o *Order) **Money { return &o.PresentmentTotal })),
	textField("order.phone", order(func(o *Order) *string { return &o.Phone })),
	addressField("order.billing_address", order(func(o *Order) **Address { return &o.BillingAddress })),
	own("order.number", order(func(o *Order) *string { return &o.Number })),
	own("order.customer_id", order(func(o *Order) *string { return &o.CustomerID })),
	also(own("order.cancel_reason", order(func(o *Order) *string { return &o.CancelReason })),
		func(ev *Event) bool { return ev.Order != nil && ev.Order.CancelledAt != nil }, func(ev *Event) { ev.Order.CancelledAt = nil }),
	own("order.created_at", order(func(o *Order) **time.Time { return &o.CreatedAt })),
	list("order.payments", order(func(o *Order) *[]Payment { return &o.Payments })),
	list("order.refunds", order(func(o *Order) *[]Refund { return &o.Refunds })),
	list("order.fulfillments", order(func(o *Order) *[]Fulfillment { return &o.Fulfillments })),
	addressField("customer.address", customer(func(c *Customer) **Address { return &c.Address })),
	own("customer.note", customer(func(c *Customer) *string { return &c.Note })),
	own("customer.status", customer(func(c *Customer) *string { return &c.Status })),
	own("customer.created_at", customer(func(c *Customer) **time.Time { return &c.CreatedAt })),
	own("customer.order_count", customer(func(c *Customer) *string { return &c.OrderCount })),
	own("customer.total_spent", customer(func(c *Customer) **Money { return &c.TotalSpent })),
}
