package drills

import (
	"os"
	"testing"
)

func TestStory(t *testing.T) {
	if testing.Short() {
		t.Skip("tells a whole day")
	}
	report, err := Story(t.Context(), StoryConfig{Orders: 60, Seed: 1, Out: os.Stdout, Start: startParts})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range report.Violations {
		t.Error(v)
	}
}
