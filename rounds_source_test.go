package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/schemas"
)

// life is what happened to one order, customer or item: the truth that everything is held to.
type life struct {
	id        string
	paid      bool
	cancelled bool
	refunded  bool // in full
	refunds   []string
	facts     map[schemas.EventType]int // things that happened, each told once or more
	version   string                    // of the newest state
}

// post is one thing told by a source, under one delivery id.
type post struct {
	source   string // shopify, admin, warehouse, fraud
	delivery string
	topic    string // X-Shopify-Topic
	kind     schemas.EventType
	subject  string
	fact     string // the same for two posts that tell the same thing
	version  string
	body     []byte
	due      time.Duration // after the round began
	hasty    int           // attempts that the source gives up before the answer

	id       schemas.EventID
	attempts int
	taken    time.Time // when 200 was answered; zero before
}

// idBase puts ids beyond 2^53, where a float64 loses them.
const idBase = 820_982_911_946_000_000

// teller draws the lives of one round, and what is told of them.
type teller struct {
	rng   *rand.Rand
	round int
	ids   int
	clock time.Time
	lives []*life
	posts []*post
}

// tell draws n orders with their customers and some stock counts.
func tell(rng *rand.Rand, round, n int, now time.Time) *teller {
	t := &teller{rng: rng, round: round, clock: now.Add(-time.Minute).UTC().Truncate(time.Millisecond)}
	for range n {
		at := time.Duration(rng.IntN(1800)) * time.Millisecond
		customer := ""
		if t.chance(40) {
			customer = t.customer(at)
		}
		t.order(at, customer)
		if t.chance(15) {
			t.stock(at)
		}
	}
	return t
}

func (t *teller) chance(percent int) bool { return t.rng.IntN(100) < percent }

// later is a moment after at, and now and then before it.
func (t *teller) later(at time.Duration) time.Duration {
	if t.chance(10) {
		return max(0, at-time.Duration(t.rng.IntN(400))*time.Millisecond)
	}
	return at + time.Duration(20+t.rng.IntN(300))*time.Millisecond
}

func (t *teller) nextID() string {
	t.ids++
	return strconv.Itoa(idBase + t.round*10_000 + t.ids)
}

// tick is a time after all that it gave before, as the shop writes it.
func (t *teller) tick() string {
	t.clock = t.clock.Add(time.Millisecond)
	return t.clock.Format("2006-01-02T15:04:05.000000Z07:00")
}

func (t *teller) live(id string) *life {
	l := &life{id: id, facts: map[schemas.EventType]int{}}
	t.lives = append(t.lives, l)
	return l
}

// add tells a fact: once, or again under another delivery id, patiently or not.
func (t *teller) add(p post) {
	p.fact = string(p.kind) + " " + p.fact
	for n := 0; n == 0 || n == 1 && t.chance(8); n++ {
		again := p
		again.delivery = fmt.Sprintf("%s-%d", t.nextID(), n)
		again.id = schemas.NewEventID(origin(p.source), again.delivery, "")
		if t.chance(12) {
			again.hasty = 1 + t.rng.IntN(2)
		}
		if n > 0 {
			again.due = t.later(p.due)
		}
		t.posts = append(t.posts, &again)
	}
}

// origin is the source as events name it.
func origin(source string) string {
	if source == "shopify" {
		return "/shopify/" + sim.ShopDomain
	}
	return "/webhooks/" + source
}

type obj = map[string]any

// order draws the life of one order.
func (t *teller) order(at time.Duration, customer string) {
	l := t.live(t.nextID())
	total := int64(1000 + t.rng.IntN(20_000))
	state := obj{
		"id": json.Number(l.id), "name": "#" + l.id[len(l.id)-5:], "currency": "EUR", "total_price": money(total), "total_tax": money(total / 6), "financial_status": "pending",
		"cancelled_at": nil, "email": "buyer@example.com", "shipping_address": obj{"address1": "Ringstraße 4", "city": "Wien", "zip": "1010", "country_code": "AT"},
		"line_items": []obj{{"id": json.Number(t.nextID()), "sku": "LAMP-01", "title": "Lamp <1>", "quantity": 1 + t.rng.IntN(3), "price": money(total)}},
	}
	if customer != "" {
		state["customer"] = obj{"id": json.Number(customer)}
	}
	told := func(topic string, kind schemas.EventType, at time.Duration) {
		if kind == schemas.OrderUpdated || kind == schemas.OrderCancelled || kind == schemas.OrderCreated {
			l.version = state["updated_at"].(string)
		}
		l.facts[kind]++
		fact := l.id
		if kind == schemas.OrderUpdated {
			fact += " " + l.version
		}
		t.add(post{source: "shopify", topic: topic, kind: kind, subject: l.id, fact: fact, version: state["updated_at"].(string), body: encode(state), due: at})
	}
	state["created_at"] = t.tick()
	state["updated_at"] = state["created_at"]
	told("orders/create", schemas.OrderCreated, at)
	if l.paid = t.chance(85); l.paid {
		state["financial_status"], state["updated_at"] = "paid", t.tick()
		at = t.later(at)
		told("orders/paid", schemas.PaymentCaptured, at)
		told("orders/updated", schemas.OrderUpdated, t.later(at))
	}
	if t.chance(20) {
		state["note"], state["updated_at"] = "ring twice", t.tick()
		at = t.later(at)
		told("orders/updated", schemas.OrderUpdated, at)
	}
	if l.paid && t.chance(30) {
		at = t.refunds(l, total, at, func(status string, at time.Duration) {
			state["financial_status"], state["updated_at"] = status, t.tick()
			told("orders/updated", schemas.OrderUpdated, at)
		})
	}
	if t.chance(15) {
		l.cancelled = true
		state["updated_at"] = t.tick()
		state["cancelled_at"], state["cancel_reason"] = state["updated_at"], "customer"
		at = t.later(at)
		told("orders/cancelled", schemas.OrderCancelled, at)
	}
	if l.paid && t.chance(40) {
		t.webhook(l, "warehouse", schemas.FulfillmentShipped, t.later(at), "fulfillment", obj{"id": t.nextID(), "status": "success", "tracking_number": "1Z" + l.id})
	}
	if t.chance(50) {
		t.webhook(l, "fraud", schemas.FraudAssessed, t.later(at), "fraud", obj{"id": t.nextID(), "level": "low", "score": "0.07"})
	}
}

// refunds gives money back in one or two parts; some of it by hand, which the admin panel tells and the shop tells too.
func (t *teller) refunds(l *life, total int64, at time.Duration, state func(status string, at time.Duration)) time.Duration {
	parts := [][]int64{{total}, {total / 3}, {total / 3, total - total/3}}[t.rng.IntN(3)]
	left := total
	for _, minor := range parts {
		left -= minor
		id, when := t.nextID(), t.tick()
		l.refunds = append(l.refunds, id)
		l.facts[schemas.RefundSucceeded]++
		at = t.later(at)
		p := post{kind: schemas.RefundSucceeded, subject: l.id, fact: l.id + " " + id}
		if t.chance(40) {
			byHand := p
			byHand.source, byHand.due = "admin", at
			byHand.body = encode(obj{"type": p.kind, "timestamp": when, "data": obj{"order_id": l.id, "refund": obj{
				"id": id, "status": "success", "reason": "by hand", "created_at": when, "amount": obj{"amount": money(minor), "currency": "EUR"}}}})
			t.add(byHand)
			at = t.later(at)
		}
		p.source, p.topic, p.due = "shopify", "refunds/create", at
		p.body = encode(obj{"id": json.Number(id), "order_id": json.Number(l.id), "created_at": when, "processed_at": when, "note": "scratched",
			"transactions": []obj{{"id": json.Number(t.nextID()), "order_id": json.Number(l.id), "kind": "refund", "status": "success", "amount": money(minor), "currency": "EUR"}}})
		t.add(p)
		status := "partially_refunded"
		if l.refunded = left == 0; l.refunded {
			status = "refunded"
		}
		state(status, t.later(at))
	}
	return at
}

// webhook tells a call-back of another system about an order.
func (t *teller) webhook(l *life, source string, kind schemas.EventType, at time.Duration, part string, value obj) {
	l.facts[kind]++
	when := t.tick()
	t.add(post{source: source, kind: kind, subject: l.id, fact: l.id, due: at,
		body: encode(obj{"type": kind, "timestamp": when, "data": obj{"order_id": l.id, "version": when, part: value}})})
}

// customer draws a customer, who may change afterwards.
func (t *teller) customer(at time.Duration) string {
	l := t.live(t.nextID())
	state := obj{"id": json.Number(l.id), "email": l.id + "@example.com", "first_name": "Ana", "last_name": "O'Neill", "phone": nil, "created_at": t.tick()}
	state["updated_at"] = state["created_at"]
	for n := 0; n == 0 || n < 3 && t.chance(30); n++ {
		topic, kind := "customers/create", schemas.CustomerRegistered
		if n > 0 {
			topic, kind = "customers/update", schemas.CustomerUpdated
			state["last_name"], state["updated_at"] = fmt.Sprintf("Nagy %d", n), t.tick()
		}
		l.version = state["updated_at"].(string)
		l.facts[kind]++
		t.add(post{source: "shopify", topic: topic, kind: kind, subject: l.id, fact: l.id + " " + l.version, version: l.version, body: encode(state), due: at})
		at = t.later(at)
	}
	return l.id
}

// stock draws a count of the warehouse.
func (t *teller) stock(at time.Duration) {
	item := t.nextID()
	l := t.live("vienna/" + item)
	l.facts[schemas.InventoryLevelSet]++
	when := t.tick()
	t.add(post{source: "warehouse", kind: schemas.InventoryLevelSet, subject: l.id, fact: l.id, due: at,
		body: encode(obj{"type": schemas.InventoryLevelSet, "timestamp": when, "data": obj{"location_id": "vienna", "item_id": item, "version": when, "inventory": obj{"available": t.rng.IntN(90)}}})})
}

// money writes minor units in major ones.
func money(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers of our own making always do
	}
	return b
}
