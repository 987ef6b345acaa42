package panel

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"livemon/internal/web"
	"livemon/internal/wire"
)

// accountData is what the Account page shows.
type accountData struct {
	Page
	Me     wire.Account
	Tokens []wire.Token
	Error  string
}

func (p *Panel) account(w http.ResponseWriter, r *http.Request) error {
	return p.showAccount(w, r, http.StatusOK, "")
}

func (p *Panel) showAccount(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	actor, _ := wire.ActorOf(ctx)
	d := accountData{Page: p.mine(r, "Account"), Error: problem}
	d.Here = "/account"
	var err error
	if d.Me, err = p.opts.Accounts.Account(ctx, actor.Account); err != nil {
		return err
	}
	if d.Tokens, err = p.opts.Accounts.Tokens(ctx, actor.Account); err != nil {
		return err
	}
	return p.render(w, status, "account", d)
}

func (p *Panel) changePassword(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	if r.PostForm.Get("changed") != r.PostForm.Get("again") {
		return p.showAccount(w, r, http.StatusBadRequest, "The new password and its repetition differ. Nothing was changed.")
	}
	err := p.opts.Accounts.ChangePassword(ctx, r.PostForm.Get("old"), r.PostForm.Get("changed"))
	var wait *wire.WaitError
	switch {
	case err == nil: // and all logins have ended with it
		p.setCookie(w, p.cookieName(), "")
		http.Redirect(w, r, "/login?why=password", http.StatusSeeOther)
		return nil
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", strconv.Itoa(int((wait.Wait+time.Second-1)/time.Second)))
		return p.showAccount(w, r, http.StatusTooManyRequests, "Too many attempts have failed. Wait for "+inWords(wait.Wait)+".")
	case errors.Is(err, wire.ErrDenied):
		return p.showAccount(w, r, http.StatusForbidden, "The present password is wrong. Nothing was changed.")
	case errors.Is(err, wire.ErrBadRequest):
		// What is wrong with a new password is said by whoever refuses it.
		why := strings.TrimPrefix(err.Error(), wire.ErrBadRequest.Error()+": ")
		return p.showAccount(w, r, http.StatusBadRequest, "This password was not taken: "+web.Clip(why, 200)+". Nothing was changed.")
	}
	return err
}

func (p *Panel) removeToken(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	id := r.PathValue("id")
	if len(id) > 128 {
		return pageError{http.StatusNotFound, "There is no such token."}
	}
	actor, _ := wire.ActorOf(ctx)
	if err := p.opts.Accounts.RemoveToken(ctx, actor.Account, id); err != nil && !errors.Is(err, wire.ErrNotFound) {
		return err
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
	return nil
}
