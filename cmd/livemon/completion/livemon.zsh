#compdef livemon
# zsh completion for livemon. In ~/.zshrc, after compinit: source <(livemon completion zsh)
_livemon() {
  local cur=${words[CURRENT]}
  local -a cmd opts
  cmd=("${(@)words[1,CURRENT-1]}")
  [[ $cur == -* ]] && cmd+=("$cur")
  opts=("${(@f)$("${cmd[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n ${opts[1]} ]]; then
    compadd -a opts
  else
    _files
  fi
}
compdef _livemon livemon
