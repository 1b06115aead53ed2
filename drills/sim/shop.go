package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// Shop is the commerce platform: it makes customers, orders and refunds and tells them by webhooks, as badly as its
// Behaviour says. Its methods are safe for concurrent use; the truth it knows is what Orders gives.
type Shop struct {
	*System
	w         *World
	rnd       *rand.Rand // under mu
	behaviour Behaviour
	orders    map[string]*Order
	customers []*Customer
	refunds   int
	webhooks  int
	last      time.Time
	silenced  map[string]string // order to the topic it never told
}

// Behaviour is how a shop's webhooks go wrong, in percent of deliveries or orders. The zero value is a shop that tells
// everything once, in order.
type Behaviour struct {
	Impatient  int // deliveries whose first tries are given up early though the edge may have taken them, and retried
	DoubleFire int // deliveries that come a second time under another webhook id
	PaidFirst  int // orders whose orders/paid leaves before their orders/create
	NeverSent  int // orders one of whose webhooks (a topic of NeverTopics) is never sent; the API tells it
	// NeverTopics are the topics NeverSent chooses from. Default orders/updated.
	NeverTopics []string
}

// Usual is how a shop behaves on any day.
func Usual() Behaviour {
	return Behaviour{Impatient: 4, DoubleFire: 2, PaidFirst: 4, NeverSent: 1}
}

// Customer is a buyer as the shop knows it.
type Customer struct {
	ID, First, Last, Email, Phone string
	CreatedAt                     time.Time
	address                       place
}

// Order is an order as the shop knows it: the truth of a drill.
type Order struct {
	ID, Number string
	Customer   *Customer
	Currency   string
	Total, Tax string // in major units, as the shop writes them: "12.50", "23600" for JPY
	Lines      []OrderLine
	Note       string
	Status     string // open, cancelled
	Shipped    bool
	Payment    string // pending, paid, partially_refunded, refunded: Shopify's financial_status
	Refunds    []Refund
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Cancelled  time.Time // zero while open
	PaidID     string    // of the sale transaction; empty while unpaid
	totalMinor int64
	tax        int64
	shipping   int64
}

// OrderLine is one line of an order; Price is of one unit.
type OrderLine struct {
	ID, SKU, Title, Price string
	Quantity              int
	priceMinor            int64
}

// Refund is money given back.
type Refund struct {
	ID, Amount, Currency, Reason string
	Full                         bool // it brings the sum of refunds to the order's total
	At                           time.Time
	minor                        int64
	transaction                  string
}

// Choices are what a caller of Place may decide; the rest is seeded.
type Choices struct {
	Note     string // order note
	Unpaid   bool   // the payment never comes
	Known    bool   // an earlier customer buys again, where there is one
	Currency string // default EUR, with some JPY and USD
}

// idBase puts ids beyond 2^53, where a float64 loses them: as Shopify's sample ids are.
const idBase = 820_982_911_946_100_000

func newShop(w *World, s *System) *Shop {
	shop := &Shop{System: s, w: w, rnd: w.rand("shop/orders"), orders: map[string]*Order{}, silenced: map[string]string{}}
	s.route("GET /admin/api/orders.json", shop.list)
	return shop
}

// Behave sets how webhooks go wrong from now on.
func (s *Shop) Behave(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
}

// Place makes an order, tells it (customers/create for a new customer, orders/create), and unless it stays unpaid tells
// orders/paid and orders/updated some seconds of the story later.
func (s *Shop) Place(c Choices) Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.newOrder(c)
	s.orders[o.ID] = o
	b := s.behaviour
	never := ""
	if s.chance(b.NeverSent) {
		topics := b.NeverTopics
		if len(topics) == 0 {
			topics = []string{"orders/updated"}
		}
		never = topics[s.rnd.IntN(len(topics))]
		s.silenced[o.ID] = never
	}
	create := time.Duration(0)
	if s.chance(b.PaidFirst) {
		create = 40 * time.Second
	}
	s.emit(create, "orders/create", o, never)
	if !c.Unpaid {
		s.pay(o, never)
	}
	return o.clone()
}

// pay captures the payment and tells it twice, as Shopify does: orders/paid and orders/updated share one event id.
func (s *Shop) pay(o *Order, never string) {
	o.Payment, o.PaidID = "paid", s.id("transaction")
	s.touch(o)
	d := time.Duration(5+s.rnd.IntN(20)) * time.Second
	event := s.uuid()
	s.emitAs(d, "orders/paid", o, never, event)
	s.emitAs(d+time.Second, "orders/updated", o, never, event)
}

// Pay captures the payment of an order that Place left unpaid.
func (s *Shop) Pay(orderID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderID]
	if o == nil || o.Payment != "pending" || o.Status != "open" {
		return fmt.Errorf("shop: order %s cannot be paid", orderID)
	}
	s.pay(o, "")
	return nil
}

// Refund gives money back, all that is left or about a third of the total, and tells refunds/create and orders/updated.
func (s *Shop) Refund(orderID string, full bool, reason string) (Refund, error) {
	return s.refund(orderID, full, reason, 0)
}

// AdminRefund is a refund made by a person in the admin panel: the panel tells refund.succeeded at once, while the
// shop's own refunds/create for the same refund is still in flight and comes half a minute of the story later.
func (s *Shop) AdminRefund(orderID string, full bool, reason string) (Refund, error) {
	r, err := s.refund(orderID, full, reason, 30*time.Second)
	if err != nil {
		return r, err
	}
	at := r.At.UTC().Format(stamp)
	s.w.tell(s.System, "admin", "refund.succeeded", orderID, 0, func() map[string]any {
		return map[string]any{"order_id": orderID, "refund": map[string]any{
			"id": r.ID, "status": "success", "reason": reason, "created_at": at,
			"amount": map[string]string{"amount": r.Amount, "currency": r.Currency},
		}}
	})
	return r, nil
}

func (s *Shop) refund(orderID string, full bool, reason string, late time.Duration) (Refund, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderID]
	if o == nil || o.PaidID == "" {
		return Refund{}, fmt.Errorf("shop: order %s was not paid, there is nothing to refund", orderID)
	}
	left := o.totalMinor
	for _, r := range o.Refunds {
		left -= r.minor
	}
	minor := left
	if !full {
		minor = min(left, o.totalMinor/3)
	}
	if minor <= 0 {
		return Refund{}, fmt.Errorf("shop: order %s has nothing left to refund", orderID)
	}
	s.refunds++
	s.touch(o)
	r := Refund{
		ID: s.id("refund"), Amount: major(minor, o.Currency), Currency: o.Currency, Reason: reason, Full: minor == left,
		At: o.UpdatedAt, minor: minor, transaction: s.id("transaction"),
	}
	o.Refunds = append(o.Refunds, r)
	o.Payment = "partially_refunded"
	if r.Full {
		o.Payment = "refunded"
	}
	event := s.uuid()
	s.post(late, "refunds/create", o.ID, refundBody(o, r), event)
	s.emitAs(late+time.Second, "orders/updated", o, "", event)
	return r, nil
}

// Cancel cancels an order and tells orders/cancelled. Its money stays where it is: refund it apart.
func (s *Shop) Cancel(orderID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[orderID]
	if o == nil || o.Status != "open" {
		return fmt.Errorf("shop: order %s cannot be cancelled", orderID)
	}
	s.touch(o)
	o.Status, o.Cancelled = "cancelled", o.UpdatedAt
	s.emit(0, "orders/cancelled", o, "")
	return nil
}

// shipped is what a warehouse's app does after a parcel left: it marks the order as fulfilled, and the shop tells
// orders/fulfilled. Orders the shop does not know are others' business.
func (s *Shop) shipped(orderID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.orders[orderID]; o != nil && !o.Shipped {
		o.Shipped = true
		s.touch(o)
		s.emit(0, "orders/fulfilled", o, "")
	}
}

// Register makes a customer who has not bought yet, and tells customers/create.
func (s *Shop) Register() Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.newCustomer()
}

// Orders is the truth: every order as the shop has it now, in the order they were placed.
func (s *Shop) Orders() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Order, 0, len(s.orders))
	for _, o := range s.orders {
		out = append(out, o.clone())
	}
	slices.SortFunc(out, func(a, b Order) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return out
}

// Customers is every customer of the shop, in the order they came.
func (s *Shop) Customers() []Customer {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Customer, len(s.customers))
	for i, c := range s.customers {
		out[i] = *c
	}
	return out
}

// Silenced names the orders one of whose webhooks was never sent, with its topic.
func (s *Shop) Silenced() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]string, len(s.silenced))
	for k, v := range s.silenced {
		out[k] = v
	}
	return out
}

// chance is true in percent of 100. The lock is held.
func (s *Shop) chance(percent int) bool { return s.rnd.IntN(100) < percent }

// touch moves the order's state on: its update time always grows, and no two states of the shop share one.
func (s *Shop) touch(o *Order) { o.UpdatedAt = s.tick() }

func (s *Shop) tick() time.Time {
	now := s.now().Add(s.skew).UTC().Truncate(time.Microsecond)
	if !now.After(s.last) {
		now = s.last.Add(time.Microsecond)
	}
	s.last = now
	return now
}

// id is a fresh id of a kind, beyond 2^53.
func (s *Shop) id(string) string {
	s.webhooks++ // one counter for all ids: they need only differ
	return strconv.FormatInt(idBase+int64(s.webhooks)*1000+s.rnd.Int64N(1000), 10)
}

// uuid is a seeded UUID version 4.
func (s *Shop) uuid() string {
	a, b := s.rnd.Uint64(), s.rnd.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&0xffffffffffff)
}

func (o *Order) clone() Order {
	c := *o
	c.Refunds, c.Lines = slices.Clone(o.Refunds), slices.Clone(o.Lines)
	return c
}
