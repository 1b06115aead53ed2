package schemas

import "reflect"

// Masked is a copy of the event in which every personal text, those of Extensions too, is its Mask, and personal times are left
// out. It is for showing alone: what is not sealed in topics (ids, amounts, states) is the event's own.
func Masked(ev *Event) *Event {
	open, personal, some := splitters["order_event"].split(reflect.ValueOf(ev).Elem())
	if !some {
		c := *ev
		return &c
	}
	splitters["order_event"].merge(open, masked(personal))
	return open.Addr().Interface().(*Event)
}

// masked copies a value: texts masked, all that is neither text nor holds any left out.
func masked(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		if v.Len() > 0 {
			out.SetString(Mask(v.String()))
		}
	case reflect.Pointer:
		if inner := v.Type().Elem(); !v.IsNil() && inner.Kind() == reflect.Struct && inner != moneyType && inner != timeType {
			out.Set(masked(v.Elem()).Addr())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(masked(v.Field(i)))
			}
		}
	case reflect.Slice:
		if !v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8 {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(masked(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMap(v.Type()))
			for iter := v.MapRange(); iter.Next(); {
				out.SetMapIndex(iter.Key(), masked(iter.Value()))
			}
		}
	}
	return out
}
