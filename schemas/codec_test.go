package schemas

import (
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/sr"
)

// newSerde gives a Serde on a registry of its own.
func newSerde(t testing.TB) *Serde {
	t.Helper()
	srv := httptest.NewServer(NewMemoryRegistry())
	t.Cleanup(srv.Close)
	return NewSerde(newClient(t, srv.URL))
}

func newClient(t testing.TB, url string) *sr.Client {
	t.Helper()
	cl, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// fill sets every field below v to a value of its own, so that no two fields can be mistaken for each other.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMicro(1_700_000_000_000_000 + *n).UTC()))
		return
	case Money:
		v.Set(reflect.ValueOf(Money{decimal.New(*n, -2), "EUR"}))
		return
	case Kind:
		v.Set(reflect.ValueOf(Kinds[*n%int64(len(Kinds))]))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a.b": "x", "c": ""}))
	case reflect.String:
		v.SetString("text " + v.Type().Name() + " " + decimal.NewFromInt(*n).String())
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	default:
		v.SetInt(*n)
	}
}

func filled[T any]() *T {
	out, n := new(T), int64(0)
	fill(reflect.ValueOf(out).Elem(), &n)
	return out
}

func TestRoundTripOfEveryField(t *testing.T) {
	t.Parallel()
	s, ctx := newSerde(t), t.Context()
	order := filled[Event]()
	order.Type, order.Inventory = OrderCreated, nil
	b, err := s.EncodeEvent(ctx, "orders-value", order)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.DecodeEvent(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(order, got); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
}
