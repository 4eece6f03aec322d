<?php

declare(strict_types=1);

namespace Urumi;

/** File operations that a kill or a power cut leaves either done or not done. Each raises RuntimeException. */
final class Files
{
    public static function makeFolder(string $folder): void
    {
        if (!is_dir($folder) && !@mkdir($folder, 0o755, true) && !is_dir($folder)) {
            throw new \RuntimeException("$folder cannot be made");
        }
    }

    /**
     * Waits until nobody else holds that file's lock, and holds it until the handle is closed, or its process ends.
     *
     * @return resource
     */
    public static function locked(string $file)
    {
        self::makeFolder(dirname($file));
        $handle = @fopen($file, 'ce');
        if ($handle === false || !flock($handle, LOCK_EX)) {
            throw new \RuntimeException("$file cannot be locked");
        }
        return $handle;
    }

    /** The file has the old content or the new one, never a part, unless the machine itself dies. */
    public static function write(string $file, string $content): void
    {
        self::replace($file, $content, false);
    }

    /** As write(), and a power cut leaves the old content or the new one, too. */
    public static function keep(string $file, string $content): void
    {
        self::replace($file, $content, true);
    }

    public static function rename(string $from, string $to): void
    {
        if (!@rename($from, $to)) {
            throw new \RuntimeException("$from cannot be renamed to $to");
        }
    }

    public static function copyTree(string $from, string $to): void
    {
        self::makeFolder($to);
        foreach (self::names($from) as $name) {
            if (is_dir("$from/$name")) {
                self::copyTree("$from/$name", "$to/$name");
            } elseif (!@copy("$from/$name", "$to/$name")) {
                throw new \RuntimeException("$to/$name cannot be written");
            }
        }
    }

    public static function remove(string $path): void
    {
        if (is_dir($path) && !is_link($path)) {
            foreach (self::names($path) as $name) {
                self::remove("$path/$name");
            }
            $gone = @rmdir($path);
        } else {
            $gone = @unlink($path) || !file_exists($path);
        }
        if (!$gone) {
            throw new \RuntimeException("$path cannot be removed");
        }
    }

    /** Everything written so far to the volume of that folder is on disk: files, folders and renames. */
    public static function sync(string $folder): void
    {
        self::runSync('--file-system', $folder);
    }

    /** What these folders hold themselves, names and renames, is on disk: far less than a volume that others share. */
    public static function syncFolders(string ...$folders): void
    {
        self::runSync(...$folders);
    }

    private static function runSync(string ...$arguments): void
    {
        $process = proc_open(['sync', ...$arguments], [], $pipes);
        if ($process === false || proc_close($process) !== 0) {
            throw new \RuntimeException(end($arguments) . ' cannot be synced');
        }
    }

    private static function replace(string $file, string $content, bool $synced): void
    {
        self::makeFolder(dirname($file));
        $beside = $file . '.new';
        $handle = @fopen($beside, 'w');
        $written = $handle !== false && fwrite($handle, $content) === strlen($content);
        if (!$written || ($synced && !fsync($handle)) || !fclose($handle)) {
            throw new \RuntimeException("$beside cannot be written");
        }
        self::rename($beside, $file);
    }

    /** @return list<string> Sorted names in a folder; none if there is no such folder. */
    public static function names(string $folder): array
    {
        $names = is_dir($folder) ? scandir($folder) : [];
        return array_values(array_diff($names === false ? [] : $names, ['.', '..']));
    }
}
