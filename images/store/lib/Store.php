<?php

declare(strict_types=1);

namespace Urumi;

/** What this store is: the files of its ConfigMaps and Secret, and the folders of its image and volume. */
final class Store
{
    public const CORE = '/var/www/html';
    public const CONTENT = '/var/www/html/wp-content';
    public const BUNDLE = '/usr/local/share/urumi/content';
    public const RUN = '/run/agent';

    /** The platform's own folder in wp-content; Apache serves nothing of it. */
    public const RECORDS = self::CONTENT . '/.urumi';

    public const ADMIN = 'admin';

    public static function config(string $name): string
    {
        return trim(self::read('/etc/urumi/config/' . $name));
    }

    public static function credential(string $name): string
    {
        return trim(self::read('/etc/urumi/credentials/' . $name));
    }

    /** The title's bytes as typed. */
    public static function title(): string
    {
        return self::read('/etc/urumi/site/title');
    }

    public static function adminEmail(): string
    {
        return self::read('/etc/urumi/site/admin-email');
    }

    /** @return list<string> Folder names of the plugins to switch on in a new store. */
    public static function plugins(): array
    {
        return array_values(array_filter(array_map('trim', explode("\n", self::read('/etc/urumi/site/plugins')))));
    }

    /** @return array{scheme: string, host: string} Of the store's address; the host with its port, as a browser sends it. */
    public static function front(): array
    {
        $parts = parse_url(self::config('address'));
        $port = isset($parts['port']) ? ':' . $parts['port'] : '';
        return ['scheme' => $parts['scheme'] ?? 'http', 'host' => ($parts['host'] ?? 'localhost') . $port];
    }

    private static function read(string $file): string
    {
        $content = @file_get_contents($file);
        if ($content === false) {
            throw new \RuntimeException("$file cannot be read");
        }
        return $content;
    }
}
