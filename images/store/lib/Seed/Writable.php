<?php

declare(strict_types=1);

namespace Urumi\Seed;

/** Proves by writing that wp-content and its uploads can be written; a shop itself would not tell. */
final class Writable
{
    /**
     * Null if a file can be made in each, else what is wrong, for whoever reads the log.
     *
     * @param 'web'|'agent' $container that asks: both may at once, and neither removes the other's file.
     */
    public static function problem(string $content, string $container): ?string
    {
        foreach ([$content, "$content/uploads"] as $folder) {
            if ($folder !== $content && !is_dir($folder)) {
                continue;
            }
            $file = "$folder/.urumi-proof-$container";
            if (@file_put_contents($file, "written\n") !== 8 || !@unlink($file)) {
                return self::described($folder);
            }
        }
        return null;
    }

    private static function described(string $folder): string
    {
        $stat = @stat($folder);
        return $stat === false
            ? "$folder is not there"
            : sprintf(
                '%s is not writable for this container: it belongs to %d:%d with mode %04o, %d bytes are free; '
                . 'the volume must belong to group 33 (fsGroup) and be mounted read-write',
                $folder,
                $stat['uid'],
                $stat['gid'],
                $stat['mode'] & 0o7777,
                (int) @disk_free_space($folder),
            );
    }
}
