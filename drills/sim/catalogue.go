package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// place is an address.
type place struct{ street, city, zip, country, code string }

// What the shop sells and to whom. Names with accents and apostrophes are on purpose.
var (
	products = []struct {
		sku, title string
		cents      int64
	}{
		{"LAMP-01", "Desk lamp", 4990}, {"CHAIR-07", "Mid-century lounger", 15999}, {"MUG-12", "Mug \"Früh\"", 1250},
		{"TABLE-03", "Coffee table", 11999}, {"SHELF-22", "Wall shelf, oak", 7495}, {"RUG-05", "Rug 140/200", 8900},
		{"VASE-09", "Vase <tall>", 3300}, {"CLOCK-02", "Wall clock & battery", 2780},
	}
	firstNames = []string{"Ana", "Björn", "Chloé", "Dénes", "Emeka", "Fatima", "Goran", "Hana", "Ines", "Jon"}
	lastNames  = []string{"O'Neill", "Müller", "Nagy", "Okafor", "de la Cruz", "Ito", "Šimić", "Lindqvist", "Rossi", "Smith"}
	places     = []place{
		{"Ringstraße 4", "Wien", "1010", "Austria", "AT"}, {"Fő utca 12", "Budapest", "1011", "Hungary", "HU"},
		{"Rue des Lilas 3", "Paris", "75020", "France", "FR"}, {"1-2-3 Ginza", "Tokyo", "104-0061", "Japan", "JP"},
		{"123 Elm St.", "Ottawa", "K2H7A8", "Canada", "CA"},
	}
)

// newCustomer makes a customer and tells it. The lock is held.
func (s *Shop) newCustomer() *Customer {
	n := len(s.customers)
	c := &Customer{
		ID: s.id("customer"), First: firstNames[s.rnd.IntN(len(firstNames))], Last: lastNames[s.rnd.IntN(len(lastNames))],
		Email: fmt.Sprintf("buyer%d@example.com", n+1), Phone: fmt.Sprintf("+43 1 555 %04d", n), address: places[s.rnd.IntN(len(places))],
		CreatedAt: s.tick(),
	}
	s.customers = append(s.customers, c)
	s.post(0, "customers/create", c.ID, customerBody(c), s.uuid())
	return c
}

// newOrder draws an order. The lock is held.
func (s *Shop) newOrder(ch Choices) *Order {
	var c *Customer
	if n := len(s.customers); n > 0 && (ch.Known || s.chance(55)) {
		c = s.customers[s.rnd.IntN(n)]
	} else {
		c = s.newCustomer()
	}
	currency := ch.Currency
	if currency == "" {
		currency = "EUR"
		switch pick := s.rnd.IntN(100); {
		case pick < 8:
			currency = "JPY"
		case pick < 18:
			currency = "USD"
		}
	}
	o := &Order{
		ID: s.id("order"), Number: "#" + strconv.Itoa(1001+len(s.orders)), Customer: c, Currency: currency, Note: ch.Note,
		Status: "open", Payment: "pending",
	}
	sum := int64(0)
	for range 1 + s.rnd.IntN(3) {
		p := products[s.rnd.IntN(len(products))]
		l := OrderLine{ID: s.id("line"), SKU: p.sku, Title: p.title, Quantity: 1 + s.rnd.IntN(3), priceMinor: p.cents, Price: major(p.cents, currency)}
		sum += l.priceMinor * int64(l.Quantity)
		o.Lines = append(o.Lines, l)
	}
	o.shipping = 590
	o.totalMinor = sum + o.shipping
	o.tax = o.totalMinor / 6 // a fifth of the net price is contained
	o.Total, o.Tax = major(o.totalMinor, currency), major(o.tax, currency)
	s.touch(o)
	o.CreatedAt = o.UpdatedAt
	return o
}

// major writes minor units as Shopify does: two decimals, none for JPY.
func major(minor int64, currency string) string {
	if currency == "JPY" {
		return strconv.FormatInt(minor, 10)
	}
	return fmt.Sprintf("%d.%02d", minor/100, minor%100)
}

// slashes writes / as \/ the way Shopify's encoder does; in JSON a slash stands only inside texts.
func slashes(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "/", `\/`)) }
