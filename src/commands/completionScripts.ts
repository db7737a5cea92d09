/**
 * The scripts by which shells complete the command line. Each asks `bootlevel --complete SHELL WORD…` for candidates,
 * one a line; the line `:files` asks for the names of files.
 */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Words are split at `=` and `:` by bash, so they are put together again, and candidates are cut accordingly. */
const bash = `# bootlevel completion for bash
_bootlevel() {
  local word line cut cur='' joined=() i
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((\${#joined[@]} > 0)) && [[ $word == [=:] || \${COMP_WORDS[i - 1]} == [=:] ]]; then
      joined[\${#joined[@]} - 1]+=$word
    else
      joined+=("$word")
    fi
  done
  ((\${#joined[@]} > 0)) && cur=\${joined[\${#joined[@]} - 1]}
  cut=''
  [[ $cur == *[=:]* ]] && cut=\${cur%"\${cur##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${cur#"$cut"}")
    else
      COMPREPLY+=("\${line#"$cut"}")
    fi
  done < <("$1" --complete bash "\${joined[@]}" 2>/dev/null)
}
complete -F _bootlevel bootlevel
`;

const zsh = `#compdef bootlevel
# bootlevel completion for zsh
_bootlevel() {
  local line files
  local -a found
  for line in "\${(@f)$("\${words[1]}" --complete zsh "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) files=1 ;;
      *) found+=("$line") ;;
    esac
  done
  [[ -n $files ]] && { [[ $PREFIX == --*=* ]] && compset -P '*='; _files; }
  ((\${#found})) && _describe bootlevel found
}
if [ "\${funcstack[1]}" = _bootlevel ]; then
  _bootlevel "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
  compdef _bootlevel bootlevel
fi
`;

const fish = `# bootlevel completion for fish
function __bootlevel_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] --complete fish $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = :files
            if string match -q -- '--*=*' "$current"
                set -l option (string replace -r '=.*' '=' -- "$current")
                __fish_complete_path (string replace -r '^[^=]*=' '' -- "$current") | string replace -r '^' -- "$option"
            else
                __fish_complete_path "$current"
            end
        else
            printf '%s\\n' "$line"
        end
    end
end
complete -c bootlevel -f -a '(__bootlevel_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash, zsh, fish };
