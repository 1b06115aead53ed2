package money

import (
	"cmp"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// invoice tells an invoice, a credit note or one line of them. Which of its two words a cancellation is depends on
// whether an invoice of its number is known: see Book.
func (t *teller) invoice(inv *schemas.Invoice) {
	if inv.Kind == "adjustment" {
		return
	}
	cancelled := t.ev.Type == schemas.InvoiceCancelled
	m, amount := Movement{Kind: Invoiced, Object: cmp.Or(inv.ID, t.fact)}, inv.Total
	if lines := valueOf(inv.Lines, billed); amount == nil && lines != nil {
		m.Object, m.Whole, amount = t.fact, inv.ID, lines
	} else if cancelled {
		t.withdrawn(m)
	}
	if cancelled || inv.Kind == "credit" || amount != nil && amount.Amount.IsNegative() {
		m.Kind = Credited
	}
	t.moved(m, amount, inv.IssuedAt)
}

// parcels says what a parcel's status means. Other words say nothing of money.
var parcels = map[string]outcome{
	"success": happened, "shipped": happened, "ready_for_pickup": happened, "picked_up": happened, "carrier_picked_up": happened,
	"in_transit": happened, "out_for_delivery": happened, "attempted_delivery": happened, "delayed": happened, "delivered": happened,
	"cancelled": failed, "error": failed, // "failure" is a fulfillment's or that of a parcel on its way: it says neither
}

// fulfillment tells a parcel's goods where the price of every line is known, from the line or from the order beside it.
func (t *teller) fulfillment(f *schemas.Fulfillment, fallback string, typ schemas.EventType) {
	m := Movement{Kind: Shipped, Object: cmp.Or(f.ID, fallback), Reference: f.TrackingNumber}
	out, known := parcels[f.Status]
	switch typ {
	case schemas.FulfillmentShipped, schemas.FulfillmentDelivered:
		out, known = happened, true
	case schemas.FulfillmentCancelled, schemas.FulfillmentRejected:
		out, known = failed, true
	case "":
	default:
		return // requested, accepted, moved: a request is no parcel
	}
	switch {
	case !known:
	case out == failed:
		t.withdrawn(m)
	default:
		t.moved(m, valueOf(f.Lines, t.packed), f.CreatedAt)
	}
}

// valueOf adds up quantity times price, less discount. Nil where a line of some quantity has no price, where prices are of
// two currencies, and for no lines. each gives the unit price and the discount of a line, nil for what is not said.
func valueOf(lines []schemas.Line, each func(*schemas.Line) (price, off *schemas.Money)) *schemas.Money {
	var sum *schemas.Money
	for i := range lines {
		price, off := each(&lines[i])
		switch {
		case price == nil && lines[i].Quantity == 0:
			continue
		case price == nil, sum != nil && sum.Currency != price.Currency:
			return nil
		case sum == nil:
			sum = &schemas.Money{Currency: price.Currency}
		}
		sum.Amount = sum.Amount.Add(price.Amount.Mul(decimal.NewFromInt(lines[i].Quantity)))
		if off != nil {
			sum.Amount = sum.Amount.Sub(off.Amount)
		}
	}
	return sum
}

// billed is what an invoice asks for a line. Its tax is left out: whether the price holds it is not said.
func billed(l *schemas.Line) (price, off *schemas.Money) { return l.Price, l.Discount }

// packed is a parcel's line at the price that it or the order's line has. Its discount is that of the order's whole line.
func (t *teller) packed(l *schemas.Line) (price, off *schemas.Money) {
	if l.Price != nil || t.ev.Order == nil {
		return l.Price, nil
	}
	return priceOf(t.ev.Order, l.ID), nil
}

// priceOf is the unit price of an order's line; nil when it is not said.
func priceOf(o *schemas.Order, line string) *schemas.Money {
	for i := range o.Lines {
		if line != "" && o.Lines[i].ID == line {
			return o.Lines[i].Price
		}
	}
	return nil
}
