package reconcile

import "github.com/binaryandbeyond/seam/schemas"

func storeFacts(f *FactsUsed) *storedFacts {
	if f == nil {
		return nil
	}
	s := &storedFacts{ID: f.ID, KnownAt: micros(f.KnownAt), AskedAt: micros(f.AskedAt)}
	if f.FactsAt != nil {
		s.FactsAt = micros(*f.FactsAt)
	}
	for _, x := range f.Facts {
		s.Facts = append(s.Facts, storedUsed{Field: string(x.Field), Object: x.Object, SKU: x.SKU, Owner: string(x.Owner), SourceVersion: x.SourceVersion, Agree: string(x.Agree), AsOf: micros(x.AsOf), Age: x.AgeSeconds})
	}
	return s
}

func (s *storedFacts) used() *FactsUsed {
	if s == nil {
		return nil
	}
	f := &FactsUsed{ID: s.ID, KnownAt: fromMicros(s.KnownAt), AskedAt: fromMicros(s.AskedAt), Facts: []FactUsed{}}
	if at := fromMicros(s.FactsAt); !at.IsZero() {
		f.FactsAt = &at
	}
	for i := range s.Facts {
		x := &s.Facts[i]
		f.Facts = append(f.Facts, FactUsed{intern(schemas.Field(x.Field)), x.Object, x.SKU, intern(schemas.System(x.Owner)), x.SourceVersion, fromMicros(x.AsOf), x.Age, intern(Agreement(x.Agree))})
	}
	return f
}

func storeRead(r *schemas.ReadBack) *storedRead {
	if r == nil {
		return nil
	}
	return &storedRead{Integration: r.Integration, Operation: r.Operation, Event: string(r.EventID), Reference: r.Reference, Result: r.Result, Detail: r.Detail}
}

func (s *storedRead) readBack() *schemas.ReadBack {
	if s == nil {
		return nil
	}
	return &schemas.ReadBack{Integration: intern(s.Integration), Operation: intern(s.Operation), EventID: schemas.EventID(s.Event), Reference: s.Reference, Result: intern(s.Result), Detail: s.Detail}
}
