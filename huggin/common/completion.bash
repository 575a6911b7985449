# Complete the names of huggin's commands, then file names.
# To switch it on, add this line to ~/.bashrc:
#   eval "$(@HUGGIN@ --completion bash)"
_huggin() {
  COMPREPLY=()
  [ "$COMP_CWORD" != 1 ] || COMPREPLY=($(compgen -W @WORDS@ -- "${COMP_WORDS[1]}"))
}
complete -o default -F _huggin huggin
