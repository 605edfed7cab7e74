# zsh capture.zsh SCRIPT LINE: what an interactive zsh offers at the end of a line, one a line. It
# runs one behind a pseudo-terminal, where every list that is added is printed instead of shown.
zmodload zsh/zpty
zpty z zsh -f -i
local reply
() {
  zpty -w z "source $1"
  repeat 4; do
    zpty -r z reply
    [[ $reply == ready* ]] && return
  done
} =( <<< "
PROMPT=
autoload -Uz compinit
compinit -C -d ~/.zcompdump
bindkey ^M undefined
bindkey ^J undefined
bindkey ^I complete-word
mark() { print -n -- $'\\0\\n' }
compprefuncs=( mark )
comppostfuncs=( mark exit )
zstyle ':completion:*' list-grouped false
zstyle ':completion:*' insert-tab false
zmodload zsh/zutil
compadd() {
  # Some callers want the matches for themselves.
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then
    builtin compadd \"\$@\"
    return
  fi
  local -a hits
  local -A front suffix
  builtin compadd -A hits \"\$@\"
  zparseopts -E P:=front S:=suffix W:=front p:=front
  local hit
  for hit in \$hits; do print -r -- \$IPREFIX\$front[-p]\$hit\$suffix[-S]; done
  builtin compadd \"\$@\"
}
source ${(q)1}
echo ready" )
zpty -w z "$2"$'\t'
integer marks=0
while zpty -r z; do :; done | while IFS= read -r line; do
  if [[ $line == *$'\0'* ]]; then
    (( marks++ )) && break
  elif (( marks )); then
    print -r -- ${line%$'\r'}
  fi
done
zpty -d z 2> /dev/null
exit 0
