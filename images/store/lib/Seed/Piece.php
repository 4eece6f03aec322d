<?php

declare(strict_types=1);

namespace Urumi\Seed;

use Urumi\Files;

/** One plugin or theme folder, in the image or in wp-content. */
final class Piece
{
    /** @var array<string, string> By path. */
    private static array $digests = [];

    /** @param 'plugins'|'themes' $kind */
    public function __construct(
        public readonly string $root,
        public readonly string $kind,
        public readonly string $name,
    ) {
    }

    /** @return list<self> All pieces below a folder that has plugins/ and themes/. */
    public static function all(string $root): array
    {
        $pieces = [];
        foreach (['plugins', 'themes'] as $kind) {
            foreach (Files::names("$root/$kind") as $name) {
                if (is_dir("$root/$kind/$name")) {
                    $pieces[] = new self($root, $kind, $name);
                }
            }
        }
        return $pieces;
    }

    public function in(string $root): self
    {
        return new self($root, $this->kind, $this->name);
    }

    public function path(): string
    {
        return "$this->root/$this->kind/$this->name";
    }

    public function exists(): bool
    {
        return is_dir($this->path());
    }

    /** The version in the header that WordPress reads; empty if there is none. */
    public function version(): string
    {
        $files = $this->kind === 'themes' ? [$this->path() . '/style.css'] : (glob($this->path() . '/*.php') ?: []);
        foreach ($files as $file) {
            $header = (string) @file_get_contents($file, false, null, 0, 8192);
            $named = preg_match('/^[ \t\/*#@]*(?:Plugin|Theme) Name:/mi', $header) === 1;
            if ($named && preg_match('/^[ \t\/*#@]*Version:\s*(\S+)/mi', $header, $found) === 1) {
                return $found[1];
            }
        }
        return '';
    }

    /**
     * A digest of all names and sizes of one of the image's pieces, taken once: an image does not change. It is enough
     * to tell two builds apart, and quick enough for every start.
     */
    public function digest(): string
    {
        return self::$digests[$this->path()] ??= hash('sha256', implode("\n", self::listing($this->path(), '')));
    }

    /** @return list<string> */
    private static function listing(string $folder, string $below): array
    {
        $lines = [];
        foreach (Files::names($folder) as $name) {
            if (is_dir("$folder/$name")) {
                array_push($lines, ...self::listing("$folder/$name", "$below$name/"));
            } else {
                $lines[] = "$below$name " . filesize("$folder/$name");
            }
        }
        return $lines;
    }
}
