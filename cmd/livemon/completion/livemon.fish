# fish completion for livemon. In config.fish: livemon completion fish | source
function __livemon_complete
    set -l cmd (commandline -opc)
    set -l cur (commandline -ct)
    if string match -q -- '-*' $cur
        set -a cmd $cur
    end
    $cmd[1] $cmd[2..-1] --generate-bash-completion 2>/dev/null
end
complete -c livemon -a '(__livemon_complete)'
