package drills

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestStory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("tells a whole day")
	}
	var out bytes.Buffer
	report, err := Story(t.Context(), StoryConfig{Orders: 60, Out: &out, Start: startParts})
	t.Logf("\n%s", &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Violations {
		t.Error(v)
	}
	if report.Orders != 60 || report.Twice == 0 || report.Absorbed == 0 || len(report.Parked) == 0 || len(report.Disagreements) == 0 {
		t.Errorf("nothing went wrong on this Monday: %+v", report)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) > 70 {
		t.Errorf("the story has %d lines", len(lines))
	}
	for _, l := range lines {
		if n := len([]rune(l)); n > width {
			t.Errorf("line of %d: %s", n, l)
		}
	}
}

func TestStoryThatCannotBeTold(t *testing.T) {
	t.Parallel()
	broken := errors.New("no port")
	start := func(context.Context, Setting, func(Running)) error { return broken }
	stops := func(_ context.Context, _ Setting, ready func(Running)) error { return nil }
	tests := []struct {
		name string
		cfg  StoryConfig
		want string
	}{
		{"too few orders", StoryConfig{Orders: 19, Out: new(bytes.Buffer), Start: start}, "story: it takes at least 20 orders, somewhere to write to and a Seam to start"},
		{"nothing to start", StoryConfig{Out: new(bytes.Buffer)}, "story: it takes at least 20 orders, somewhere to write to and a Seam to start"},
		{"Seam does not start", StoryConfig{Out: new(bytes.Buffer), Start: start}, "no port"},
		{"Seam stops", StoryConfig{Out: new(bytes.Buffer), Start: stops}, "story: Seam stopped while the story went on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Story(t.Context(), tt.cfg); err == nil || err.Error() != tt.want {
				t.Errorf("err = %v, want %s", err, tt.want)
			}
		})
	}
}
