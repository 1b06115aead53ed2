package topology

import (
	"reflect"
	"strings"
)

// keyed lists the types a file may hold, so that an unknown key's fault can name the known ones.
var keyed = []any{clusterFile{}, Team{}, Owner{}, Transfer{}, Source{}, Wait{}, FileFormat{}, FileRule{}, Integration{}, Route{}, HTTPCall{}, Auth{},
	FileSink{}, Answers{}, Idempotency{}, Retry{}, Rate{}, Slow{}, Breaker{}, Window{}, Facts{}, Check{}, ReadBack{}, Volume{}, Waiver{}}

// knownKeys is "the keys here are a, b, c" for a type by name.
func knownKeys(typeName string) string {
	for _, v := range keyed {
		t := reflect.TypeOf(v)
		if t.Name() != typeName {
			continue
		}
		var keys []string
		for i := range t.NumField() {
			if k := t.Field(i).Tag.Get("yaml"); k != "" && k != "-" {
				keys = append(keys, k)
			}
		}
		return "the keys here are " + strings.Join(keys, ", ")
	}
	return "it is not a key of this place"
}

// newOf is a fresh zero value of the type that p points to.
func newOf(p any) any { return reflect.New(reflect.TypeOf(p).Elem()).Interface() }
