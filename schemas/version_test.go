package schemas

import "testing"

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		cmp  int
		ok   bool
	}{
		{"1", "2", -1, true},
		{"10", "9", 1, true}, // as numbers, not as texts
		{"1.5", "1.50", 0, true},
		{"007", "7", 0, true},
		{"999999999999999999", "1000000000000000000", -1, true}, // 18 digits and 19
		{"9223372036854775808", "9223372036854775807", 1, true}, // above 2^63
		{"7", "7.1", -1, true},
		{"820982911946154509", "820982911946154508", 1, true}, // above 2^53
		{"2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00", 0, true},
		{"2026-11-23T08:00:00.000001Z", "2026-11-23T08:00:00Z", 1, true},
		{"2026-11-23T23:00:00-05:00", "2026-11-24T01:00:00Z", 1, true}, // the text says otherwise
		{"", "1", 0, false},
		{"1", "", 0, false},
		{"v1", "v2", 0, false},
		{"2026-11-23T08:00:00Z", "1764000000", 0, false},
		{"1764000000", "2026-11-23T08:00:00Z", 0, false},
		{"1e999999999", "1", 0, false}, // comparing it would write it out
		{"1e2", "99", 0, false},
		{"9", "10", -1, true}, {"10", "9", 1, true}, {"1.5", "1.50", 0, true},
		{"2026-11-23T12:00:00+01:00", "2026-11-23T11:00:00Z", 0, true}, {"2026-11-23T12:00:00Z", "2026-11-23T12:00:00.5Z", -1, true},
		{"", "1", 0, false}, {"1", "", 0, false}, {"v1", "v2", 0, false}, {"2026-11-23T12:00:00Z", "7", 0, false}, {"7", "2026-11-23T12:00:00Z", 0, false},
	} {
		if cmp, ok := CompareVersions(tt.a, tt.b); cmp != tt.cmp || ok != tt.ok {
			t.Errorf("%q and %q: %d %v, want %d %v", tt.a, tt.b, cmp, ok, tt.cmp, tt.ok)
		}
		if cmp, ok := CompareVersions(tt.b, tt.a); cmp != -tt.cmp || ok != tt.ok {
			t.Errorf("%q and %q: %d %v, the other way round it is %d %v", tt.b, tt.a, cmp, ok, -tt.cmp, tt.ok)
		}
	}
}
