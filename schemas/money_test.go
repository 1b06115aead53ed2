package schemas

import (
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// TestUsualAmount holds the short way to the library's: the same number in the same form, or not taken.
func TestUsualAmount(t *testing.T) {
	t.Parallel()
	taken := 0
	for _, text := range []string{"0", "00", "0.00", "12.50", "012.50", "1.", ".5", ".", "", "-1", "+1", "1e3", "1_0", " 1", "1.2.3", "12,50", "999999999999999", "9999999999999.99", "1000000000000000", "0.000000000000001", "٣"} {
		got, usual := usualAmount(text)
		if !usual {
			continue
		}
		taken++
		if want, err := decimal.NewFromString(text); err != nil || got.Exponent() != want.Exponent() || got.Coefficient().Cmp(want.Coefficient()) != 0 {
			t.Errorf("%q is %v, want %v, %v", text, got, want, err)
		}
	}
	if taken != 7 {
		t.Errorf("%d texts took the short way", taken)
	}
}

func TestNewMoney(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, amount, currency string
		want, wantErr          string
	}{
		{name: "cents", amount: "12.50", currency: "EUR", want: "12.50 EUR"},
		{name: "as few as given", amount: "12.5", currency: "EUR", want: "12.50 EUR"},
		{name: "no cents given", amount: "12", currency: "EUR", want: "12.00 EUR"},
		{name: "zeros beyond the cents", amount: "12.5000", currency: "EUR", want: "12.50 EUR"},
		{name: "negative", amount: "-0.01", currency: "EUR", want: "-0.01 EUR"},
		{name: "zero-decimal currency", amount: "1250", currency: "JPY", want: "1250 JPY"},
		{name: "zero-decimal currency with zeros", amount: "1250.00", currency: "JPY", want: "1250 JPY"},
		{name: "half a yen", amount: "0.5", currency: "JPY", wantErr: "amount 0.5 has more decimals than JPY has (0)"},
		{name: "three decimals", amount: "1.250", currency: "KWD", want: "1.250 KWD"},
		{name: "four decimals", amount: "1.2345", currency: "CLF", want: "1.2345 CLF"},
		{name: "beyond 2^53", amount: "9007199254740993.12", currency: "EUR", want: "9007199254740993.12 EUR"},
		{name: "exponent form", amount: "1.2e3", currency: "EUR", want: "1200.00 EUR"},
		{name: "the greatest", amount: "9999999999999999.99", currency: "EUR", want: "9999999999999999.99 EUR"},
		{name: "one more", amount: "10000000000000000", currency: "EUR", wantErr: "amount 10000000000000000 does not fit decimal(20,4)"},
		{name: "a third of a cent", amount: "0.333", currency: "EUR", wantErr: "amount 0.333 has more decimals than EUR has (2)"},
		{name: "a comma", amount: "12,50", currency: "EUR", wantErr: `amount "12,50" is not a decimal`},
		{name: "nothing", amount: "", currency: "EUR", wantErr: `amount "" is not a decimal`},
		{name: "lower case", amount: "1", currency: "eur", wantErr: `currency "eur" is not an ISO 4217 code`},
		{name: "no currency", amount: "1", currency: "", wantErr: `currency "" is not an ISO 4217 code`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := NewMoney(tt.amount, tt.currency)
			if errText(err) != tt.wantErr {
				t.Fatalf("err %v, want %q", err, tt.wantErr)
			}
			if err == nil && m.String() != tt.want {
				t.Errorf("got %s, want %s", m, tt.want)
			}
		})
	}
}

func TestNewMinorMoney(t *testing.T) {
	t.Parallel()
	for currency, want := range map[string]string{
		"EUR": "12.50 EUR", "JPY": "1250 JPY", "KWD": "1.250 KWD", "CLF": "0.1250 CLF", "ISK": "1250 ISK",
	} {
		if m, err := NewMinorMoney(1250, currency); err != nil || m.String() != want {
			t.Errorf("1250 minor units: got %v, %v, want %s", m, err, want)
		}
	}
	if m, err := NewMinorMoney(math.MaxInt64, "EUR"); err == nil {
		t.Errorf("%s fits no decimal(20,4)", m)
	}
}

// TestSignedBytes holds our two's complement to arithmetic: the fewest bytes, the same number back.
func TestSignedBytes(t *testing.T) {
	t.Parallel()
	check := func(n *big.Int) {
		b := signedBytes(n)
		if got := signedInt(b); got.Cmp(n) != 0 {
			t.Fatalf("%s became %x, which is %s", n, b, got)
		}
		if len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
			t.Fatalf("%s is %x: one byte too many", n, b)
		}
	}
	for i := int64(-70_000); i <= 70_000; i++ {
		check(big.NewInt(i))
	}
	for bits := uint(0); bits < 80; bits++ {
		for d := int64(-1); d <= 1; d++ {
			n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(d))
			check(n)
			check(n.Neg(n))
		}
	}
}

// TestDecimalVectors reads the vectors of other implementations and writes the same bytes.
func TestDecimalVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Value string
		Hex   string `json:"avro_hex"`
	}
	var vectors struct {
		Bytes []vector `json:"bytes_decimal_4_2"`
		Fixed []vector `json:"fixed12_decimal_4_2"`
	}
	input(t, "decimal_vectors.json", &vectors)
	for schema, list := range map[string][]vector{
		`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`:                      vectors.Bytes,
		`{"type":"fixed","name":"F","size":12,"logicalType":"decimal","precision":4,"scale":2}`: vectors.Fixed,
	} {
		n := mustParse(t, schema)
		codec, err := newCodec(n)
		if err != nil || len(list) == 0 {
			t.Fatalf("%v, %d vectors", err, len(list))
		}
		for _, v := range list {
			native, err := decodeWire(codec, unhex(t, v.Hex))
			if err != nil {
				t.Fatalf("%s: %v", v.Hex, err)
			}
			want := decimal.RequireFromString(v.Value)
			if d := cmp.Diff(any(want), plain(n, native)); d != "" {
				t.Errorf("%s (-want +got):\n%s", v.Hex, d)
			}
			if n.kind != avroBytes {
				continue
			}
			b, err := codec.BinaryFromNative(nil, signedBytes(want.Shift(2).BigInt()))
			if err != nil || string(b) != string(unhex(t, v.Hex)) {
				t.Errorf("%s became %x, %v, want %s", v.Value, b, err, v.Hex)
			}
		}
	}
}
