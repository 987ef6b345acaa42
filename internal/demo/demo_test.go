package demo_test

import (
	"log/slog"
	"strings"
	"testing"

	"livemon/internal/demo"
)

func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := demo.Run(t.Context(), &out, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"4#: coach", "1#: takeover", "9013", "plain bridge again", "Every step agrees"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not show %q:\n%s", want, out.String())
		}
	}
}
