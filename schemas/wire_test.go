package schemas

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// wiredFormats are the formats that have a short way, by name, with a maker of their Go value.
var wiredFormats = map[string]func() any{
	"order_event": func() any { return new(Event) }, "customer_event": func() any { return new(Event) }, "inventory_event": func() any { return new(Event) },
	"outcome": func() any { return new(Outcome) }, "ledger_entry": func() any { return new(LedgerEntry) },
}

func TestWiredFormats(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		if _, want := wiredFormats[name]; want != (f.wired.write != nil) || want != (f.wired.read != nil) {
			t.Errorf("%s: wired is not %v", name, want)
		}
	}
}

// TestWireWritesAsGoavro writes random values both ways: the same bytes, or the same fault.
func TestWireWritesAsGoavro(t *testing.T) {
	t.Parallel()
	for name, make := range wiredFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, good, faulty := formats[name], 0, 0
			for seed := range uint64(4000) {
				r := randomizer{rand.New(rand.NewPCG(seed, 7)), seed%4 == 3}
				v := reflect.ValueOf(make()).Elem()
				r.fill(v)
				clearHomeless(f.root, v)
				got, err := f.wired.write([]byte("before"), v)
				native, wantErr := f.binding.encode(v)
				var want []byte
				if wantErr == nil {
					want, wantErr = f.codec.BinaryFromNative([]byte("before"), native)
				}
				if (err == nil) != (wantErr == nil) {
					t.Fatalf("seed %d: %v, and by goavro %v", seed, err, wantErr)
				}
				if wantErr != nil {
					faulty++
					continue
				}
				good++
				if string(got) != string(want) {
					t.Fatalf("seed %d:\n got %x\nwant %x", seed, got, want)
				}
			}
			if good < 500 || faulty < 50 {
				t.Errorf("%d values were written and %d were faulty: too few of one to prove anything", good, faulty)
			}
		})
	}
}

// TestWireReadsAsGoavro reads what was written, whole and damaged, both ways: the same value, or a fault.
func TestWireReadsAsGoavro(t *testing.T) {
	t.Parallel()
	for name, make := range wiredFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, good, faulty := formats[name], 0, 0
			for seed := range uint64(6000) {
				r := randomizer{rand.New(rand.NewPCG(seed, 11)), false}
				v := reflect.ValueOf(make()).Elem()
				r.fill(v)
				clearHomeless(f.root, v)
				body, err := f.wired.write(nil, v)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if seed%2 == 1 {
					body = r.damage(body)
				}
				kept := seed%3 == 0
				got, want := reflect.ValueOf(make()), reflect.ValueOf(make())
				gotErr := readWire(f.wired, body, kept, got.Elem())
				wantErr := f.readForeign(&writer{codec: f.codec}, &plan{}, body, want.Elem())
				if (gotErr == nil) != (wantErr == nil) {
					t.Fatalf("seed %d: %x: %v, and by goavro %v", seed, body, gotErr, wantErr)
				}
				if wantErr != nil {
					faulty++
					continue
				}
				good++
				if d := cmp.Diff(want.Interface(), got.Interface()); d != "" {
					t.Fatalf("seed %d: %x (-goavro +wire):\n%s", seed, body, d)
				}
			}
			if good < 2500 || faulty < 1000 {
				t.Errorf("%d values were read and %d were faulty: too few of one to prove anything", good, faulty)
			}
		})
	}
}

// TestWireBlocks reads what other writers may send: several blocks, blocks with their size, and lies about either.
func TestWireBlocks(t *testing.T) {
	t.Parallel()
	b := binder{}
	n := mustParse(t, `{"type":"record","name":"R","fields":[{"name":"items","type":{"type":"array","items":"string"}},{"name":"pairs","type":{"type":"map","values":"string"}}]}`)
	type r struct {
		Items []string
		Pairs map[string]string
	}
	w, err := b.wire(n, reflect.TypeFor[r]())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, hex, want, wantErr string }{
		{"one block each", "0402610262000202780279 00", "{[a b] map[x:y]}", ""},
		{"two blocks", "02026102026200 0202780279020277027600", "{[a b] map[w:v x:y]}", ""},
		{"with sizes", "03040261026200 00", "{[a b] map[]}", ""},
		{"negative count", "030802610262 00 00", "{[a b] map[]}", ""},
		{"empty", "0000", "{[] map[]}", ""},
		{"more items than bytes", "feffff07", "", "items: avro: a block of 8388607 items, more than 65536"},
		{"items that are not there", "c801", "", "items: avro: unexpected EOF"},
		{"least of all numbers", "ffffffffffffffffff01", "", "items: avro: a block of -9223372036854775808 items"},
		{"a key twice", "00 02027802790202780279 00", "", "pairs: avro: a key is there twice"},
		{"negative length", "02 01", "", "items[0]: avro: a length of -1"},
		{"more after it", "0000 00", "", "1 bytes left after the value"},
		{"ends early", "00", "", "pairs: avro: unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got r
			err := readWire(w, unhex(t, strings.ReplaceAll(tt.hex, " ", "")), false, reflect.ValueOf(&got).Elem())
			if errText(err) != tt.wantErr {
				t.Fatalf("got  %v\nwant %s", err, tt.wantErr)
			}
			if text := fmt.Sprint(got); err == nil && text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

// TestWireMaps: every entry is there once, in blocks of what a reader takes.
func TestWireMaps(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 97, maxBlockItems, maxBlockItems + 1} {
		m := map[string]string{}
		for i := range size {
			m[fmt.Sprint("line_items.", i, ".price_set.shop_money.amount")] = fmt.Sprint(i)
		}
		b, err := binder{}.writeMap(nil, reflect.ValueOf(&m).Elem())
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]string
		r := &wireReader{b: b}
		if err := readMap(r, reflect.ValueOf(&back).Elem()); err != nil || r.i != len(b) {
			t.Fatalf("%d entries: %v, %d of %d bytes are read", size, err, r.i, len(b))
		}
		if d := cmp.Diff(m, back); d != "" {
			t.Errorf("%d entries (-written +read):\n%s", size, d)
		}
	}
}

// TestWireLongArrays are cut into blocks of what a reader takes.
func TestWireLongArrays(t *testing.T) {
	t.Parallel()
	f := formats["outcome"]
	in := Outcome{Integration: "i", EventID: "e", Kind: Delivered, At: start, WithheldFields: make([]string, 2*maxBlockItems+1)}
	body, err := f.wired.write(nil, reflect.ValueOf(&in).Elem())
	if err != nil {
		t.Fatal(err)
	}
	native, err := f.binding.encode(reflect.ValueOf(in))
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.codec.BinaryFromNative(nil, native)
	if err != nil || string(body) != string(want) {
		t.Fatalf("other bytes than goavro's, %v", err)
	}
	var out Outcome
	if err := readWire(f.wired, body, true, reflect.ValueOf(&out).Elem()); err != nil || len(out.WithheldFields) != len(in.WithheldFields) {
		t.Errorf("%d items, %v", len(out.WithheldFields), err)
	}
}

// TestWireSmallDecimals holds the short arithmetic to that of big numbers.
func TestWireSmallDecimals(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "0.0000", "0.00001", "1", "-1", "127", "-128", "-0.0128", "0.0127", "0.0128", "12.5", "12.50", "-12.5000", "99999999999999", "0.99999999999999", "9999999999999999", "10000000000000000", "-9999999999999999.9999", "1e3", "1e15", "1e16", "1234567890123.4567"} {
		d := decimal.RequireFromString(text)
		for _, currency := range []string{"EUR", "JPY", "KWD", "CLF"} {
			m := &Money{d, currency}
			got, gotErr := formats["ledger_entry"].wired.write(nil, reflect.ValueOf(&LedgerEntry{OrderTotal: m}).Elem())
			native, wantErr := formats["ledger_entry"].binding.encode(reflect.ValueOf(LedgerEntry{OrderTotal: m}))
			exact := d.Truncate(exponent(currency)).Equal(d) && d.Abs().LessThan(moneyLimit)
			if (gotErr == nil) != exact || errText(gotErr) != errText(wantErr) {
				t.Errorf("%s: %v, by goavro %v, fits %v", m, gotErr, wantErr, exact)
				continue
			}
			if gotErr != nil {
				continue
			}
			want, err := formats["ledger_entry"].codec.BinaryFromNative(nil, native)
			if err != nil || string(got) != string(want) {
				t.Errorf("%s: %x, by goavro %x, %v", m, got, want, err)
			}
			var back LedgerEntry
			if err := readWire(formats["ledger_entry"].wired, got, true, reflect.ValueOf(&back).Elem()); err != nil || !back.OrderTotal.Amount.Equal(d) || back.OrderTotal.String() != m.String() {
				t.Errorf("%s came back as %v, %v", m, back.OrderTotal, err)
			}
		}
	}
}

// TestWireTextsOfEventsStandAlone: an event's id that a ledger keeps must not keep the bytes of the whole event.
func TestWireTextsOfEventsStandAlone(t *testing.T) {
	t.Parallel()
	for name, f := range formats {
		if f.kept != (name == "ledger_entry") {
			t.Errorf("%s: kept is %v", name, f.kept)
		}
	}
}

// start is a time that a record may have.
var start = time.Date(2026, 11, 23, 12, 0, 0, 123_456_000, time.UTC)

// randomizer fills values; with faults on, some of them cannot be written.
type randomizer struct {
	*rand.Rand
	faults bool
}

func (r randomizer) fill(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = r.time()
		return
	case *Money:
		*p = r.money()
		return
	case *Kind:
		if *p = Kinds[r.IntN(len(Kinds))]; r.faults && r.IntN(30) == 0 {
			*p = "no kind"
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(r.text())
	case reflect.Int64, reflect.Int32, reflect.Int:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64) >> (64 - v.Type().Bits()))
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			r.fill(v.Field(i))
		}
	case reflect.Uint8:
		v.SetUint(r.Uint64() & 0xff)
	case reflect.Slice:
		if n := r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n))
			for i := range n - 1 {
				r.fill(v.Index(i))
			}
		}
	case reflect.Map: // of one entry at most: with more the bytes depend on Go's order of maps
		if n := r.IntN(3); n > 0 {
			m := map[string]string{}
			if n > 1 {
				m[r.text()] = r.text()
			}
			v.Set(reflect.ValueOf(m))
		}
	default:
		panic("no random " + v.Type().String())
	}
}

func (r randomizer) time() time.Time {
	t := start.Add(time.Duration(r.Int64N(1e18) - 5e17)).Truncate(time.Microsecond)
	if r.faults && r.IntN(20) == 0 {
		return []time.Time{{}, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}[r.IntN(3)]
	}
	return []time.Time{t, t.Add(time.Nanosecond), t.In(time.FixedZone("", 3600)), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)}[r.IntN(4)]
}

func (r randomizer) money() Money {
	c := int64(r.Uint64()) >> (10 + r.IntN(54))
	m := Money{decimal.New(c, -2), "EUR"}
	switch r.IntN(8) {
	case 0:
		m = Money{decimal.New(c/100, 0), "JPY"}
	case 1:
		m = Money{decimal.New(c/100*100, -4), "EUR"}
	case 2:
		m = Money{decimal.New(c%1000, 3), "USD"}
	case 3:
		if r.faults {
			m = []Money{{decimal.New(c, -3), "EUR"}, {decimal.New(1, 17), "EUR"}, {decimal.New(1, 0), "eur"}, {decimal.New(c, -9), "KWD"}}[r.IntN(4)]
		}
	}
	return m
}

func (r randomizer) text() string {
	texts := []string{"", "a", "order.created", "Ünïcode ☃", strings.Repeat("long ", 40)}
	if r.faults {
		texts = append(texts, "not \xff UTF-8")
	}
	return texts[r.IntN(len(texts))]
}

// damage changes, cuts or adds a few bytes.
func (r randomizer) damage(b []byte) []byte {
	out := append([]byte{}, b...)
	for range 1 + r.IntN(3) {
		switch at := r.IntN(len(out) + 1); {
		case at == len(out):
			out = append(out, byte(r.Uint32()))
		case r.IntN(6) == 0:
			out = out[:at]
		default:
			out[at] = []byte{0, 1, 2, 3, 0x80, 0xff, byte(r.Uint32())}[r.IntN(7)]
		}
	}
	return out
}

// clearHomeless empties the fields that a schema has no place for.
func clearHomeless(n *node, v reflect.Value) {
	homes := map[string]*node{}
	for _, f := range n.fields {
		homes[f.name] = f.typ
	}
	for i := range v.NumField() {
		if homes[snake(v.Type().Field(i).Name)] == nil {
			v.Field(i).SetZero()
		}
	}
}
