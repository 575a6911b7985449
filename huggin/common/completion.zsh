# Complete the names of huggin's commands, then file names.
# To switch it on, add these lines to ~/.zshrc:
#   autoload -Uz compinit && compinit
#   eval "$(@HUGGIN@ --completion zsh)"
_huggin() {
  local -a names
  names=(
@WORDS@
  )
  if (( CURRENT == 2 )); then _describe command names; else _files; fi
}
compdef _huggin huggin
